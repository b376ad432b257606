import { Deadlines } from '../deadlines.js';
import { HANDSHAKES_IN_FLIGHT_MAX, handshakeOf, handshakeRefusals } from '../handshakes.js';
import type { HttpAnswer, HttpRequest, HttpServer, HttpStreamClient, HttpStreamEvents } from '../http-server.js';
import type { Logger } from '../logger.js';
import { PingWheel } from '../ping-wheel.js';
import { refusalAnswer } from '../refusal-answer.js';
import type { Admission, Arrival, EdgeHandler, Handshake, Refusal, TransportConnection } from '../transport.js';
import { corsHeaders, preflightHeaders } from './cors.js';
import { eventBodyOf, type EventBody } from './event-text.js';
import { SseSocket, type SseGroups } from './sse-socket.js';
import { WaitingStream } from './waiting-stream.js';

export interface SseTransportOptions {
  readonly path: string;
  /** Empty: all. Read where it is used: the application may give it a new value at any time. */
  readonly allowedOrigins: readonly string[];
  /** Time between two comments. */
  readonly heartbeatMs: number;
  /** A request that takes longer to be admitted is answered 503. */
  readonly handshakeTimeoutMs: number;
}

/** "No status": a client of an HTTP answer leaves without a code. */
const LEFT = 1005;
const NEVER_OPENED = 1006;
const INTERNAL_ERROR = 1011;

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // nginx would hold events back to fill its buffers.
  'x-accel-buffering': 'no',
  // Who comes back over the same connection would come back to a node that is going away.
  connection: 'close',
};

/**
 * Server-sent events over an HttpServer: a second transport of the edge. Admission, streams, slow clients, drain and
 * closes are the edge's as for WebSockets; clients cannot send anything.
 */
export class SseTransport implements SseGroups {
  readonly #handler: EdgeHandler;
  readonly #options: SseTransportOptions;
  readonly #onError: (error: unknown) => void;
  readonly #pings: PingWheel;
  readonly #deadlines: Deadlines;
  readonly #groups = new Map<string, Set<SseSocket>>();
  /** Sockets that were published to in this turn of the event loop. */
  #published = new Set<SseSocket>();
  /** The frame that was asked for last, and its event. */
  #frame: Uint8Array | null = null;
  #body: EventBody | null = null;
  #inFlight = 0;

  constructor(handler: EdgeHandler, options: SseTransportOptions, logger: Logger) {
    this.#handler = handler;
    this.#options = options;
    this.#onError = (error) => logger.error('transport callback failed', { error });
    this.#pings = new PingWheel(options.heartbeatMs);
    this.#deadlines = new Deadlines(options.handshakeTimeoutMs);
  }

  /** Adds the routes; before `listen`. */
  serve(server: HttpServer): void {
    const { path } = this.#options;
    server.route('GET', path, (request) => this.#open(request));
    server.route('OPTIONS', path, (request) => this.#preflight(request));
  }

  publish(group: string, frame: Uint8Array): void {
    const body = this.eventBody(frame);
    for (const socket of this.#groups.get(group) ?? []) {
      socket.add(body);
      this.flushLater(socket);
    }
  }

  join(group: string, socket: SseSocket): void {
    const members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, new Set([socket]));
    else members.add(socket);
  }

  leave(group: string, socket: SseSocket): void {
    const members = this.#groups.get(group);
    if (members?.delete(socket) === true && members.size === 0) this.#groups.delete(group);
  }

  flushLater(socket: SseSocket): void {
    if (this.#published.size === 0) setImmediate(() => this.#flush());
    this.#published.add(socket);
  }

  eventBody(frame: Uint8Array): EventBody {
    if (this.#frame !== frame || this.#body === null) {
      this.#frame = frame;
      this.#body = eventBodyOf(frame);
    }
    return this.#body;
  }

  #flush(): void {
    const published = this.#published;
    this.#published = new Set();
    for (const socket of published) socket.flush();
  }

  async #open(request: HttpRequest): Promise<HttpAnswer> {
    if (request.method === 'HEAD') return { status: 200, headers: this.#streamHeaders(request), body: '' };
    const admission = await this.#admit(request);
    if (!admission.admitted) return this.#refused(request, admission.refusal);
    const { connection } = admission;
    const refusal = request.signal.aborted ? null : this.#handler.confirm(connection);
    if (refusal !== null) return this.#refused(request, refusal);
    const gone = (): void => this.#handler.closed(connection, NEVER_OPENED, '');
    if (request.signal.aborted) gone();
    else request.signal.addEventListener('abort', gone);
    return {
      status: 200,
      headers: this.#streamHeaders(request),
      body: (client) => {
        request.signal.removeEventListener('abort', gone);
        return this.#opened(connection, client);
      },
    };
  }

  #admit(request: HttpRequest): Admission | Promise<Admission> {
    const handshake = eventsHandshakeOf(request);
    if (this.#inFlight >= HANDSHAKES_IN_FLIGHT_MAX) return this.#refuse(handshake, handshakeRefusals.tooMany);
    const reception = this.#handler.receive(handshake);
    if (!reception.received) return { admitted: false, refusal: reception.refusal };
    const waiting = new WaitingStream(request.signal, {
      tooSlow: () => this.#refuse(handshake, handshakeRefusals.tooSlow),
      undo: ({ connection }) => this.#handler.closed(connection, NEVER_OPENED, ''),
    });
    this.#decide(waiting, reception.arrival).catch(this.#onError);
    return waiting.admission;
  }

  async #decide(waiting: WaitingStream, arrival: Arrival): Promise<void> {
    this.#inFlight++;
    this.#deadlines.add(waiting);
    const admission = await this.#admission(waiting, arrival);
    this.#inFlight--;
    this.#deadlines.remove(waiting);
    waiting.decided(admission);
  }

  /** An edge that rejects breaks its promise; the client gets an answer all the same. */
  async #admission(waiting: WaitingStream, arrival: Arrival): Promise<Admission> {
    try {
      return await this.#handler.admit(arrival, waiting);
    } catch (error) {
      this.#onError(error);
      return { admitted: false, refusal: handshakeRefusals.failed };
    }
  }

  /** Refused here, before the edge has seen it. */
  #refuse(handshake: Handshake, refusal: Refusal): Admission {
    this.#handler.refused(handshake, refusal);
    return { admitted: false, refusal };
  }

  #opened(connection: TransportConnection, client: HttpStreamClient): HttpStreamEvents {
    const socket = new SseSocket(client, this);
    this.#pings.add(socket);
    this.#guard(socket, () => this.#handler.opened(connection, socket));
    return {
      drained: () => this.#guard(socket, () => this.#handler.drained(connection)),
      closed: () => this.#guard(socket, () => this.#closed(connection, socket)),
    };
  }

  #closed(connection: TransportConnection, socket: SseSocket): void {
    this.#pings.remove(socket);
    socket.detach();
    this.#handler.closed(connection, socket.ending?.code ?? LEFT, socket.ending?.reason ?? '');
    for (const group of socket.groups) this.leave(group, socket);
  }

  /** The one place where an exception of the edge ends up: uncaught, it would end the process. */
  #guard(socket: SseSocket, call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#onError(error);
      socket.end(INTERNAL_ERROR, 'internal error');
    }
  }

  #refused(request: HttpRequest, refusal: Refusal): HttpAnswer {
    const answer = refusalAnswer(refusal);
    const cors = corsHeaders(request.header('origin'), this.#options.allowedOrigins);
    return { ...answer, headers: { ...answer.headers, ...cors, 'cache-control': 'no-store' } };
  }

  #preflight(request: HttpRequest): HttpAnswer {
    const headers = preflightHeaders(request.header('origin'), this.#options.allowedOrigins);
    return { status: 200, headers, body: '' };
  }

  #streamHeaders(request: HttpRequest): Readonly<Record<string, string>> {
    return { ...STREAM_HEADERS, ...corsHeaders(request.header('origin'), this.#options.allowedOrigins) };
  }
}

function eventsHandshakeOf(request: HttpRequest): Handshake {
  const lastEventId = request.header('last-event-id') || lastEventIdIn(request.query);
  return { ...handshakeOf(request), protocols: '', lastEventId };
}

/** A broken percent-encoding is left to the edge, which refuses the whole query for it. */
function lastEventIdIn(query: string): string {
  return new URLSearchParams(query).get('lastEventId') ?? '';
}

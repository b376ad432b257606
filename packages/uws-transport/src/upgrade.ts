import type { Admission, EdgeHandler, Handshake, HttpAnswer, Transport, TransportConnection } from '@ws-gateway/core';
import type { HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { CorkCarrier } from './cork-carrier.js';
import type { DeferredTasks } from './deferred-tasks.js';
import { Exchange, type RequestObserver } from './exchange.js';
import { answers, refusalAnswer } from './http-answer.js';
import type { RequestHead } from './http-request.js';
import { endpointLabel } from './http-routes.js';
import { UwsSocket, type SocketData } from './uws-socket.js';

interface UpgraderOptions {
  readonly handshakeTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxHandshakesInFlight: number;
  readonly isEndpoint: (path: string) => boolean;
  readonly observe: RequestObserver | undefined;
  readonly onError: (error: unknown) => void;
}

interface UpgraderParts {
  readonly transport: Transport;
  readonly tasks: DeferredTasks;
  readonly carrier: CorkCarrier;
}

/** Takes handshakes from the request to the open socket: copy, ask the edge, then refuse or upgrade. */
export class Upgrader {
  readonly #handler: EdgeHandler;
  readonly #parts: UpgraderParts;
  readonly #options: UpgraderOptions;
  /** Handshakes the edge is still thinking about, also those whose client has gone: they use its resources as well. */
  #inFlight = 0;

  constructor(handler: EdgeHandler, parts: UpgraderParts, options: UpgraderOptions) {
    this.#handler = handler;
    this.#parts = parts;
    this.#options = options;
  }

  /** `context` is null when uWebSockets.js does not see a handshake in the request: then it is malformed. */
  handle(res: HttpResponse, head: RequestHead, context: us_socket_context_t | null): void {
    const { observe, isEndpoint, writeTimeoutMs } = this.#options;
    const route = isEndpoint(head.path) ? endpointLabel(head.path) : 'unknown';
    const refusal = malformed(head) ?? this.#busy();
    if (refusal !== null || context === null) {
      const refused = new Exchange(res, head, { route, observe, writeTimeoutMs });
      this.#parts.tasks.add(() => refused.answer(refusal ?? answers.badRequest('malformed handshake')));
      return;
    }
    const deadline = new AbortController();
    const exchange = new Exchange(res, head, { route, observe, writeTimeoutMs, onAbort: () => deadline.abort() });
    const pending = { exchange, deadline, context, key: head.header('sec-websocket-key') };
    this.#decide(pending, handshakeOf(head)).catch(this.#options.onError);
  }

  #busy(): HttpAnswer | null {
    return this.#inFlight < this.#options.maxHandshakesInFlight ? null : answers.unavailable('too many handshakes');
  }

  async #decide(pending: PendingUpgrade, handshake: Handshake): Promise<void> {
    const timer = setTimeout(() => this.#expire(pending), this.#options.handshakeTimeoutMs);
    this.#inFlight++;
    const admission = await this.#admit(handshake, pending.deadline.signal);
    this.#inFlight--;
    clearTimeout(timer);
    this.#parts.tasks.add(() => this.#finish(pending, admission));
  }

  /** An edge that rejects breaks its promise; the client gets an answer all the same. */
  async #admit(handshake: Handshake, signal: AbortSignal): Promise<Admission> {
    try {
      return await this.#handler.admit(handshake, signal);
    } catch (error) {
      this.#options.onError(error);
      return { admitted: false, refusal: { status: 503, code: 'unavailable', message: 'internal error' } };
    }
  }

  #expire({ exchange, deadline }: PendingUpgrade): void {
    deadline.abort();
    exchange.answer(answers.unavailable('the handshake took too long'));
  }

  #finish(pending: PendingUpgrade, admission: Admission): void {
    if (!admission.admitted) {
      pending.exchange.answer(refusalAnswer(admission.refusal));
      return;
    }
    // Gone, or told 503, while the edge was thinking.
    if (!pending.exchange.isOpen) return this.#handler.closed(admission.connection, 1006, '');
    const refusal = this.#handler.confirm(admission.connection);
    if (refusal === null) this.#open(pending.exchange.takeForUpgrade(), pending, admission);
    else pending.exchange.answer(refusalAnswer(refusal));
  }

  #open(res: HttpResponse, { key, context }: PendingUpgrade, { connection, protocol }: Admitted): void {
    const socket = new UwsSocket(connection, this.#parts.transport);
    // The open callback attaches the WebSocket before upgrade returns. An empty protocol is not echoed.
    this.#parts.carrier.cork(() => res.upgrade<SocketData>({ socket }, key, protocol ?? '', '', context));
    // Told only now, outside of the carrier's cork: in there no other socket can be corked.
    try {
      this.#handler.opened(connection, socket);
    } catch (error) {
      this.#options.onError(error);
      socket.end(1011, 'internal error');
    }
  }
}

interface PendingUpgrade {
  readonly exchange: Exchange;
  readonly deadline: AbortController;
  readonly context: us_socket_context_t;
  readonly key: string;
}

interface Admitted {
  readonly connection: TransportConnection;
  readonly protocol: string | null;
}

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** RFC 6455 4.2.1: uWebSockets.js itself would upgrade whatever has a key of 24 characters. */
function malformed(head: RequestHead): HttpAnswer | null {
  if (head.header('sec-websocket-version') !== '13') return answers.unsupportedVersion();
  if (!KEY.test(head.header('sec-websocket-key'))) return answers.badRequest('malformed Sec-WebSocket-Key');
  if (!hasToken(head.header('connection'), 'upgrade')) return answers.badRequest('Connection must say Upgrade');
  return null;
}

/** Tells whether the client wants a WebSocket at all, well-formed or not. */
export function asksForWebSocket(head: RequestHead): boolean {
  return head.method === 'GET' && !head.isAmbiguous && hasToken(head.header('upgrade'), 'websocket');
}

function hasToken(header: string, token: string): boolean {
  return header.split(',').some((part) => part.trim().toLowerCase() === token);
}

function handshakeOf(head: RequestHead): Handshake {
  return {
    path: head.path,
    query: head.query,
    authorization: head.header('authorization'),
    header: (name) => head.header(name),
    origin: head.header('origin') || null,
    protocols: head.header('sec-websocket-protocol'),
    forwardedFor: head.header('x-forwarded-for'),
    remoteAddress: head.remoteAddress,
  };
}

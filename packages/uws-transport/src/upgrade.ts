import {
  Deadlines,
  handshakeOf,
  type Admission,
  type Arrival,
  type EdgeHandler,
  type Handshake,
  type Reception,
  type Refusal,
  type Transport,
} from '@ws-gateway/core';
import type { HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import type { CorkCarrier } from './cork-carrier.js';
import type { DeferredTasks } from './deferred-tasks.js';
import { Exchange, type RequestObserver } from './exchange.js';
import { refusalAnswer, refusals } from './http-answer.js';
import type { RequestHead } from './http-request.js';
import { endpointLabel } from './http-routes.js';
import { UwsSocket, type SocketData } from './uws-socket.js';
import type { WaitingClient } from './waiting-client.js';
import { WaitingRequest } from './waiting-request.js';
import { HeldBytes, WaitingSocket } from './waiting-socket.js';

interface UpgraderOptions {
  readonly handshakeTimeoutMs: number;
  readonly writeTimeoutMs: number;
  readonly maxPayloadBytes: number;
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

/**
 * Takes handshakes from the request to the open socket. A client that reads refusals from frames is upgraded at once, in
 * the request's own handler, where uWebSockets.js corks by itself, and admitted over the open socket; any other one is
 * upgraded when it was admitted.
 */
export class Upgrader {
  readonly #handler: EdgeHandler;
  readonly #parts: UpgraderParts;
  readonly #options: UpgraderOptions;
  readonly #deadlines: Deadlines;
  readonly #held = new HeldBytes();
  /** Handshakes the edge is still thinking about, also those whose client has gone: they use its resources as well. */
  #inFlight = 0;

  constructor(handler: EdgeHandler, parts: UpgraderParts, options: UpgraderOptions) {
    this.#handler = handler;
    this.#parts = parts;
    this.#options = options;
    this.#deadlines = new Deadlines(options.handshakeTimeoutMs);
  }

  /**
   * `context` is null when uWebSockets.js does not see a handshake in the request: then it is malformed. `isShort`: nobody
   * is let in.
   */
  handle(res: HttpResponse, head: RequestHead, context: us_socket_context_t | null, isShort: boolean): void {
    const handshake = handshakeOf(head);
    const refusal = malformed(head) ?? this.#busy();
    if (refusal !== null || context === null) {
      const refused = refusal ?? refusals.malformed('malformed handshake');
      this.#handler.refused(handshake, refused);
      return this.#answer(res, head, refused);
    }
    const reception = this.#receive(handshake);
    if (!reception.received) return this.#answer(res, head, reception.refusal);
    const { arrival } = reception;
    const upgrade = { head, handshake, arrival, context };
    const client = arrival.readsRefusals ? this.#upgradeAtOnce(res, upgrade) : this.#keepWaiting(res, upgrade);
    if (isShort) this.#refuse(client, handshake, refusals.full);
    else this.#decide(client, arrival).catch(this.#options.onError);
  }

  #refuse(client: WaitingClient, handshake: Handshake, refusal: Refusal): void {
    this.#handler.refused(handshake, refusal);
    client.decided({ admitted: false, refusal });
  }

  /** No deadline holds any longer. */
  stop(): void {
    this.#deadlines.stop();
  }

  #busy(): Refusal | null {
    return this.#inFlight < this.#options.maxHandshakesInFlight ? null : refusals.tooMany;
  }

  #answer(res: HttpResponse, head: RequestHead, refusal: Refusal): void {
    const { observe, writeTimeoutMs } = this.#options;
    const exchange = new Exchange(res, head, { route: this.#routeOf(head), observe, writeTimeoutMs });
    this.#parts.tasks.add(() => exchange.answer(refusalAnswer(refusal)));
  }

  /** An edge that throws breaks its promise; the client gets an answer all the same. */
  #receive(handshake: Handshake): Reception {
    try {
      return this.#handler.receive(handshake);
    } catch (error) {
      this.#options.onError(error);
      return { received: false, refusal: refusals.failed };
    }
  }

  #upgradeAtOnce(res: HttpResponse, { head, handshake, arrival, context }: Upgrade): WaitingClient {
    const { observe, maxPayloadBytes, onError } = this.#options;
    const startedAt = performance.now();
    const socket = new UwsSocket(this.#parts.transport);
    const parts = { handler: this.#handler, held: this.#held, maxPayloadBytes, onError };
    const client = new WaitingSocket(socket, handshake, parts);
    res.upgrade<SocketData>({ socket }, head.header('sec-websocket-key'), arrival.protocol ?? '', '', context);
    observe?.(head.method, this.#routeOf(head), 101, (performance.now() - startedAt) / 1000);
    return client;
  }

  #keepWaiting(res: HttpResponse, { head, handshake, arrival, context }: Upgrade): WaitingClient {
    const { observe, writeTimeoutMs, onError } = this.#options;
    const exchange = new Exchange(res, head, {
      route: this.#routeOf(head),
      observe,
      writeTimeoutMs,
      onAbort: () => (client.aborted = true),
    });
    const request = { exchange, handshake, context, key: head.header('sec-websocket-key'), protocol: arrival.protocol };
    const client = new WaitingRequest(request, { handler: this.#handler, ...this.#parts, onError });
    return client;
  }

  async #decide(client: WaitingClient, arrival: Arrival): Promise<void> {
    this.#inFlight++;
    this.#deadlines.add(client);
    const admission = await this.#admit(arrival, client);
    this.#inFlight--;
    this.#deadlines.remove(client);
    client.decided(admission);
  }

  /** An edge that rejects breaks its promise; the client gets an answer all the same. */
  async #admit(arrival: Arrival, client: WaitingClient): Promise<Admission> {
    try {
      return await this.#handler.admit(arrival, client);
    } catch (error) {
      this.#options.onError(error);
      return { admitted: false, refusal: refusals.failed };
    }
  }

  #routeOf({ path }: RequestHead): string {
    return this.#options.isEndpoint(path) ? endpointLabel(path) : 'unknown';
  }
}

interface Upgrade {
  readonly head: RequestHead;
  readonly handshake: Handshake;
  readonly arrival: Arrival;
  readonly context: us_socket_context_t;
}

/** 16 bytes in base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** RFC 6455 4.2.1: uWebSockets.js itself would upgrade whatever has a key of 24 characters. */
function malformed(head: RequestHead): Refusal | null {
  if (head.header('sec-websocket-version') !== '13') return refusals.unsupportedVersion;
  if (!KEY.test(head.header('sec-websocket-key'))) return refusals.malformed('malformed Sec-WebSocket-Key');
  if (!hasToken(head.header('connection'), 'upgrade')) return refusals.malformed('Connection must say Upgrade');
  return null;
}

/** Tells whether the client wants a WebSocket at all, well-formed or not. */
export function asksForWebSocket(head: RequestHead): boolean {
  return head.method === 'GET' && !head.isAmbiguous && hasToken(head.header('upgrade'), 'websocket');
}

function hasToken(header: string, token: string): boolean {
  return header.split(',').some((part) => part.trim().toLowerCase() === token);
}

import type { Admission, EdgeHandler, Handshake, Transport, TransportConnection } from '@ws-gateway/core';
import type { us_socket_context_t } from 'uWebSockets.js';
import type { CorkCarrier } from './cork-carrier.js';
import type { DeferredTasks } from './deferred-tasks.js';
import type { Exchange } from './exchange.js';
import { refusalAnswer, refusals } from './http-answer.js';
import { UwsSocket, type SocketData } from './uws-socket.js';
import type { WaitingClient } from './waiting-client.js';

interface WaitingRequestParts {
  readonly handler: EdgeHandler;
  readonly transport: Transport;
  readonly tasks: DeferredTasks;
  readonly carrier: CorkCarrier;
  readonly onError: (error: unknown) => void;
}

interface UpgradeRequest {
  readonly exchange: Exchange;
  readonly handshake: Handshake;
  readonly context: us_socket_context_t;
  readonly key: string;
  /** null: none was offered. */
  readonly protocol: string | null;
}

/** A request that is upgraded when its client was admitted, and answered by HTTP when it was not. */
export class WaitingRequest implements WaitingClient {
  aborted = false;
  readonly #request: UpgradeRequest;
  readonly #parts: WaitingRequestParts;

  constructor(request: UpgradeRequest, parts: WaitingRequestParts) {
    this.#request = request;
    this.#parts = parts;
  }

  expire(): void {
    this.aborted = true;
    const { exchange, handshake } = this.#request;
    if (!exchange.isOpen) return;
    this.#parts.handler.refused(handshake, refusals.tooSlow);
    exchange.answer(refusalAnswer(refusals.tooSlow));
  }

  decided(admission: Admission): void {
    this.#parts.tasks.add(() => this.#finish(admission));
  }

  #finish(admission: Admission): void {
    const { handler } = this.#parts;
    const { exchange } = this.#request;
    if (!admission.admitted) {
      exchange.answer(refusalAnswer(admission.refusal));
      return;
    }
    // Gone, or told 503, while the edge was thinking.
    if (!exchange.isOpen) return handler.closed(admission.connection, 1006, '');
    const refusal = handler.confirm(admission.connection);
    if (refusal === null) this.#open(admission.connection);
    else exchange.answer(refusalAnswer(refusal));
  }

  #open(connection: TransportConnection): void {
    const { handler, transport, carrier, onError } = this.#parts;
    const { exchange, key, protocol, context } = this.#request;
    const socket = new UwsSocket(transport, connection);
    const res = exchange.takeForUpgrade();
    // The open callback attaches the WebSocket before upgrade returns. An empty protocol is not echoed.
    carrier.cork(() => res.upgrade<SocketData>({ socket }, key, protocol ?? '', '', context));
    // Told only now, outside of the carrier's cork: in there no other socket can be corked.
    socket.guard(() => handler.opened(connection, socket), onError);
  }
}

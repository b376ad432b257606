import {
  CODE_NORMAL,
  GatewayConnection,
  type ConnectionHandlers,
  type ConnectionOptions,
} from './gateway-connection.js';
import type { Handshake } from './handshake.js';
import { readRefusal } from './refusal.js';
import type { Socket, WebSocketClass } from './socket.js';

export interface WebSocketConnectionOptions extends ConnectionOptions {
  readonly WebSocket: WebSocketClass;
}

/** Subprotocol with which the gateway lets everybody in and then says by a frame whom it refuses, and why. */
const REASONS_PROTOCOL = 'wsg.v1';
const CLOSE_AFTER_ERROR_MS = 50;

export class WebSocketConnection extends GatewayConnection {
  readonly transport = 'websocket';
  readonly #socket: Socket;
  #problem = '';

  /** Throws what the WebSocket class throws: a page that may not use it, for instance. */
  constructor({ url, bearer }: Handshake, handlers: ConnectionHandlers, options: WebSocketConnectionOptions) {
    const token = bearer ? ['bearer', bearer] : [];
    const socket = new options.WebSocket(url, [...token, REASONS_PROTOCOL]) as Socket;
    super(handlers, options);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.received(data));
    socket.addEventListener('close', ({ code, reason }) => this.end(code, reason || this.#problem));
    socket.addEventListener('error', ({ message }) => {
      // `close` follows and brings the code; but Node 22's own WebSocket has none for a handshake that was refused.
      if (typeof message === 'string') this.#problem = message;
      this.limit(CLOSE_AFTER_ERROR_MS, this.#problem);
    });
    socket.on?.('unexpected-response', (_request, response) =>
      readRefusal(response, (refused) => {
        this.refused(refused);
        this.abandon(refused.message);
      }),
    );
  }

  send(text: string): boolean {
    if (this.isConnected) this.#socket.send(text);
    return this.isConnected;
  }

  protected leave(reason: string): void {
    this.#socket.close(CODE_NORMAL, reason);
  }

  protected cut(): void {
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
  }
}

import {
  CODE_ABNORMAL,
  CODE_NORMAL,
  GatewayConnection,
  type ConnectionHandlers,
  type ConnectionOptions,
} from './gateway-connection.js';
import type { WebSocketHandshake } from './handshake.js';
import { readRefusal, refusalOfClose } from './refusal.js';
import type { Socket, WebSocketClass } from './socket.js';

export interface WebSocketConnectionOptions extends ConnectionOptions {
  readonly WebSocket: WebSocketClass;
}

const CLOSE_AFTER_ERROR_MS = 50;

export class WebSocketConnection extends GatewayConnection {
  readonly transport = 'websocket';
  readonly #socket: Socket;
  #problem = '';

  /** Throws what the WebSocket class throws: a page that may not use it, for instance. */
  constructor(
    { url, protocols }: WebSocketHandshake,
    handlers: ConnectionHandlers,
    options: WebSocketConnectionOptions,
  ) {
    const socket = new options.WebSocket(url, [...protocols]) as Socket;
    super(handlers, options);
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.received(data));
    socket.addEventListener('error', ({ message }) => this.#failed(message));
    socket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason));
    socket.on?.('unexpected-response', (_request, response) =>
      readRefusal(response, (refusal) => this.refused(refusal, { code: CODE_ABNORMAL, reason: refusal.message })),
    );
  }

  send(text: string): boolean {
    if (!this.isConnected) return false;
    this.#socket.send(text);
    return true;
  }

  /** Says it with 1000. */
  close(end: { readonly code: number; readonly reason: string }): void {
    if (this.isEnded) return;
    this.end(end);
    this.#socket.close(CODE_NORMAL, end.reason);
  }

  protected cut(): void {
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
  }

  #closed(code: number, reason: string): void {
    const refusal = this.isConnected ? null : refusalOfClose(code, reason);
    this.end({ code, reason: reason || this.#problem, refusal });
  }

  /** `close` follows and brings the code; but Node 22's own WebSocket has none for a handshake that was refused. */
  #failed(message: unknown): void {
    if (this.isEnded) return;
    this.#problem = typeof message === 'string' ? message : '';
    this.limit(CLOSE_AFTER_ERROR_MS, this.#problem);
  }
}

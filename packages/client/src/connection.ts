import { asFrame, isConnected, type Frame } from './frames.js';
import type { Handshake } from './handshake.js';
import { readRefusal, type Refusal } from './refusal.js';
import type { Socket, WebSocketClass } from './socket.js';

export interface ConnectionEnd {
  /** The `connected` frame had come. */
  readonly connected: boolean;
  readonly code: number;
  readonly reason: string;
  /** null: none, or not to be seen (browsers hide it). */
  readonly refusal: Refusal | null;
}

export interface ConnectionHandlers {
  frame(frame: Frame): void;
  /** What can't be read. */
  unreadable(data: unknown): void;
  /** Called once, and nothing after it. */
  ended(end: ConnectionEnd): void;
}

export interface ConnectionOptions {
  readonly WebSocket: WebSocketClass;
  readonly parse: (text: string) => unknown;
  /** From the start to the `connected` frame. */
  readonly timeoutMs: number;
}

const CLOSE_AFTER_ERROR_MS = 50;
const CODE_NORMAL = 1000;
const CODE_ABNORMAL = 1006;

/** One socket from the handshake to its end. The end is told at once, also when the socket itself takes its time. */
export class Connection {
  readonly #socket: Socket;
  readonly #handlers: ConnectionHandlers;
  readonly #parse: (text: string) => unknown;
  #timer: ReturnType<typeof setTimeout>;
  #problem = '';
  #connected = false;
  #ended = false;

  /** Throws what the WebSocket class throws: a page that may not use it, for instance. */
  constructor({ url, protocols }: Handshake, handlers: ConnectionHandlers, options: ConnectionOptions) {
    const socket = new options.WebSocket(url, [...protocols]) as Socket;
    this.#socket = socket;
    this.#handlers = handlers;
    this.#parse = options.parse;
    this.#timer = setTimeout(() => this.abandon('no connection in time'), options.timeoutMs);
    socket.addEventListener('message', ({ data }) => this.#received(data));
    socket.addEventListener('error', ({ message }) => this.#failed(message));
    socket.addEventListener('close', ({ code, reason }) => this.#end({ code, reason: reason || this.#problem }));
    socket.on?.('unexpected-response', (_request, response) =>
      readRefusal(response, (refusal) => this.#refused(refusal)),
    );
  }

  get isConnected(): boolean {
    return this.#connected && !this.#ended;
  }

  /** False: the connection is not there (any more). */
  send(text: string): boolean {
    if (!this.isConnected) return false;
    this.#socket.send(text);
    return true;
  }

  /** Says goodbye with 1000, whatever it is called here. The other side's answer is not waited for. */
  close(end: { readonly code: number; readonly reason: string }): void {
    if (this.#ended) return;
    this.#end(end);
    this.#socket.close(CODE_NORMAL, end.reason);
  }

  /** For a socket that does not answer: its own close could take minutes. */
  abandon(reason: string): void {
    if (this.#ended) return;
    this.#end({ code: CODE_ABNORMAL, reason });
    this.#cut();
  }

  #received(data: unknown): void {
    if (this.#ended) return;
    const frame = this.#read(data);
    if (frame === null) {
      this.#handlers.unreadable(data);
      return;
    }
    if (isConnected(frame)) {
      this.#connected = true;
      clearTimeout(this.#timer);
    }
    this.#handlers.frame(frame);
  }

  /** `close` follows and brings the code; but Node 22's own WebSocket has none for a handshake that was refused. */
  #failed(message: unknown): void {
    if (this.#ended) return;
    this.#problem = typeof message === 'string' ? message : '';
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abandon(this.#problem), CLOSE_AFTER_ERROR_MS);
  }

  #read(data: unknown): Frame | null {
    if (typeof data !== 'string') return null;
    try {
      return asFrame(this.#parse(data));
    } catch {
      // The caller is told that it can't be read.
      return null;
    }
  }

  #refused(refusal: Refusal): void {
    if (this.#ended) return;
    this.#end({ code: CODE_ABNORMAL, reason: refusal.message, refusal });
    this.#cut();
  }

  #cut(): void {
    if (this.#socket.terminate === undefined) this.#socket.close();
    else this.#socket.terminate();
  }

  #end({ code, reason, refusal = null }: { code: number; reason: string; refusal?: Refusal | null }): void {
    if (this.#ended) return;
    const connected = this.#connected;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#handlers.ended({ connected, code, reason, refusal });
  }
}

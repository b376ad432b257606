import { asFrame, isConnected, isRefused, type Frame } from './frames.js';
import { closeOf, refusalOfFrame, type Refusal } from './refusal.js';

export type Transport = 'websocket' | 'sse';

export interface ConnectionEnd {
  /** The `connected` frame had come. */
  readonly connected: boolean;
  readonly code: number;
  readonly reason: string;
  /** null: none, or not to be seen (browsers hide what is answered to a WebSocket handshake). */
  readonly refusal: Refusal | null;
  /** What the gateway asked us to wait with the end itself; null: nothing. */
  readonly afterMs: number | null;
}

export interface ConnectionHandlers {
  frame(frame: Frame): void;
  /** Bytes that carry no frame: somebody is there. */
  heard(): void;
  /** What cannot be read. */
  unreadable(data: unknown): void;
  /** Called once, and nothing after it. */
  ended(end: ConnectionEnd): void;
}

export interface ConnectionOptions {
  readonly parse: (text: string) => unknown;
  /** From the start to the `connected` frame. */
  readonly timeoutMs: number;
}

type End = Pick<ConnectionEnd, 'code' | 'reason'> & Partial<Pick<ConnectionEnd, 'refusal' | 'afterMs'>>;

export const CODE_NORMAL = 1000;
export const CODE_ABNORMAL = 1006;

/** One connection from the handshake to its end, which is told at once, also where the network takes its time. */
export abstract class GatewayConnection {
  abstract readonly transport: Transport;
  readonly #handlers: ConnectionHandlers;
  readonly #parse: (text: string) => unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #deadlineAt = Infinity;
  #connected = false;
  #ended = false;

  constructor(handlers: ConnectionHandlers, options: ConnectionOptions) {
    this.#handlers = handlers;
    this.#parse = options.parse;
    this.hurry(options.timeoutMs);
  }

  get isConnected(): boolean {
    return this.#connected && !this.#ended;
  }

  /** False: the connection is not there (any more), or takes no commands. */
  abstract send(text: string): boolean;

  /** Says goodbye, where that can be said, whatever it is called here. The other side's answer is not waited for. */
  abstract close(end: { readonly code: number; readonly reason: string }): void;

  /** For a connection that does not answer: its own close could take minutes. */
  abandon(reason: string): void {
    if (this.#ended) return;
    this.end({ code: CODE_ABNORMAL, reason });
    this.cut();
  }

  /** An attempt that is still under way then is given up. Never later than was said before. */
  hurry(ms: number): void {
    if (!this.#connected) this.limit(ms, 'no connection in time');
  }

  protected limit(ms: number, reason: string): void {
    const deadlineAt = performance.now() + ms;
    if (this.#ended || deadlineAt >= this.#deadlineAt) return;
    this.#deadlineAt = deadlineAt;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abandon(reason), ms);
  }

  protected abstract cut(): void;

  protected get isEnded(): boolean {
    return this.#ended;
  }

  protected heard(): void {
    if (!this.#ended) this.#handlers.heard();
  }

  protected received(data: unknown): void {
    if (this.#ended) return;
    const frame = this.#read(data);
    if (frame === null) {
      this.#handlers.unreadable(data);
      return;
    }
    if (isRefused(frame) && !this.#connected) {
      const refusal = refusalOfFrame(frame.payload);
      this.refused(refusal, closeOf(refusal));
      return;
    }
    if (isConnected(frame)) {
      this.#connected = true;
      this.#deadlineAt = Infinity;
      clearTimeout(this.#timer);
    }
    this.#handlers.frame(frame);
  }

  protected refused(refusal: Refusal, { code, reason }: Pick<ConnectionEnd, 'code' | 'reason'>): void {
    if (this.#ended) return;
    this.end({ code, reason, refusal });
    this.cut();
  }

  protected end({ code, reason, refusal = null, afterMs = null }: End): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#handlers.ended({ connected: this.#connected, code, reason, refusal, afterMs });
  }

  #read(data: unknown): Frame | null {
    if (typeof data !== 'string') return null;
    try {
      return asFrame(this.#parse(data));
    } catch {
      // The caller is told that it cannot be read.
      return null;
    }
  }
}

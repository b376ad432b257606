import { asFrame, isNotice, isRecord, type Frame } from './frames.js';
import type { Refused } from './refusal.js';

export type Transport = 'websocket' | 'sse';

export interface ConnectionEnd {
  /** The `connected` frame had come. */
  readonly connected: boolean;
  readonly code: number;
  readonly reason: string;
  /** Refusal; null: there was none, or it cannot be seen (browsers hide what is answered to a WebSocket handshake). */
  readonly refused: Refused | null;
  /** Time in ms that the gateway asked us to wait; null: none. */
  readonly afterMs: number | null;
}

export interface ConnectionHandlers {
  frame(frame: Frame): void;
  /** Bytes came, a frame or not: somebody is there. */
  heard(): void;
  /** Called when what came cannot be read. */
  unreadable(): void;
  /** Called once, and nothing after it. */
  ended(end: ConnectionEnd): void;
}

export interface ConnectionOptions {
  readonly parse: (text: string) => unknown;
  /** Time limit in ms from the start to the `connected` frame. */
  readonly timeoutMs: number;
}

export const CODE_NORMAL = 1000;
export const CODE_ABNORMAL = 1006;
/** The gateway closes right after it has said that it refuses. */
const CLOSE_AFTER_REFUSED_MS = 1_000;

/** One connection from the handshake to its end, which is told at once, also where the network takes its time. */
export abstract class GatewayConnection {
  abstract readonly transport: Transport;
  readonly #handlers: ConnectionHandlers;
  readonly #parse: (text: string) => unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connected = false;
  #ended = false;
  #refused: Refused | null = null;

  constructor(handlers: ConnectionHandlers, options: ConnectionOptions) {
    this.#handlers = handlers;
    this.#parse = options.parse;
    this.limit(options.timeoutMs, 'no connection in time');
  }

  get isConnected(): boolean {
    return this.#connected && !this.#ended;
  }

  /** Sends a text; false: the connection is not there (any more), or takes no commands. */
  abstract send(text: string): boolean;

  /** Says goodbye, where that can be said, whatever it is called here. The other side's answer is not waited for. */
  close(code: number, reason: string): void {
    if (this.#ended) return;
    this.end(code, reason);
    this.leave(reason);
  }

  /** Ends a connection that does not answer: its own close could take minutes. */
  abandon(reason: string): void {
    if (this.#ended) return;
    this.end(CODE_ABNORMAL, reason);
    this.cut();
  }

  protected abstract leave(reason: string): void;
  protected abstract cut(): void;

  protected get isEnded(): boolean {
    return this.#ended;
  }

  /** It has so long to come to something. */
  protected limit(ms: number, reason: string): void {
    clearTimeout(this.#timer);
    if (!this.#ended) this.#timer = setTimeout(() => this.abandon(reason), ms);
  }

  protected received(data: unknown): void {
    if (this.#ended) return;
    this.heard();
    const value = this.#read(data);
    const frame = asFrame(value);
    if (frame === null) {
      if (this.transport === 'sse' && isRecord(value)) this.#closed(value);
      else this.#handlers.unreadable();
    } else if (isNotice(frame, 'refused', 'error') && !this.#connected) {
      this.refused(frame.payload);
    } else {
      if (isNotice(frame, 'connected')) {
        this.#connected = true;
        clearTimeout(this.#timer);
      }
      this.#handlers.frame(frame);
    }
  }

  protected heard(): void {
    this.#handlers.heard();
  }

  /** It ends soon, and then this is why. */
  protected refused(refused: Refused): void {
    this.#refused = refused;
    this.limit(CLOSE_AFTER_REFUSED_MS, refused.message);
  }

  protected end(code: number, reason: string, afterMs: number | null = null): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#timer);
    const refused = this.#refused;
    this.#handlers.ended({ connected: this.#connected, code, reason, refused, afterMs: refused?.after_ms ?? afterMs });
  }

  /** Server-sent events have no close frame: the gateway says it in an event. */
  #closed({ code, reason, after_ms: afterMs }: Readonly<Record<string, unknown>>): void {
    this.end(Number(code), String(reason), typeof afterMs === 'number' ? afterMs : null);
    this.cut();
  }

  #read(data: unknown): unknown {
    try {
      return typeof data === 'string' ? this.#parse(data) : null;
    } catch {
      // The caller is told that it cannot be read.
      return null;
    }
  }
}

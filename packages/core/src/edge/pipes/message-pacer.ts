import type { Connection } from '../delivery/connection.js';
import { TokenBucket, type RequestRate } from '../rate-limits.js';

/** Bytes that may wait of one client behind the first message that waits; more ends its connection. */
const HELD_BYTES_MAX = 256 * 1024;
const TICK_MS = 50;

/** What a connection has left of its rate, and what came when nothing was left. */
interface Pace {
  readonly requests: TokenBucket;
  readonly bytes: TokenBucket;
  readonly held: string[];
  heldBytes: number;
}

export interface PacerOptions {
  /** Rate of one connection, looked at for each message. */
  readonly rate: RequestRate;
  readonly forward: (connection: Connection, message: string) => void;
  /** Called with each change of what waits, in bytes. */
  readonly onHeld: (connection: Connection, bytes: number) => void;
}

/**
 * Lets the messages of a connection through at a rate, in number and in bytes. Nobody could answer a surplus message of a
 * pipe, so it waits for its turn, in order and bounded: a burst takes longer, and nothing of it is lost.
 */
export class MessagePacer {
  readonly #options: PacerOptions;
  readonly #paces = new WeakMap<Connection, Pace>();
  /** Connections with something held. */
  readonly #waiting = new Set<Connection>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** Takes a message; false: so much waits that the connection is to be closed, and the message was not taken. */
  take(connection: Connection, message: string): boolean {
    const pace = this.#isUnlimited && !this.#waiting.has(connection) ? null : this.#paceOf(connection);
    const bytes = Buffer.byteLength(message);
    if (pace === null || (pace.held.length === 0 && this.#mayPass(pace, bytes))) {
      this.#options.forward(connection, message);
      return true;
    }
    // One that is longer than that by itself is no surplus yet: how long it may be another limit says.
    if (pace.held.length > 0 && pace.heldBytes + bytes > HELD_BYTES_MAX) return false;
    pace.held.push(message);
    this.#count(connection, pace, bytes);
    this.#waiting.add(connection);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return true;
  }

  /** Lets all through that waits: the connection has ended, and said this before. */
  flush(connection: Connection): void {
    for (const message of this.#forget(connection)) this.#options.forward(connection, message);
  }

  /** Throws away what waits. */
  drop(connection: Connection): void {
    this.#forget(connection);
  }

  #tick(): void {
    for (const connection of [...this.#waiting]) this.#letThrough(connection, this.#paceOf(connection));
    if (this.#waiting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #letThrough(connection: Connection, pace: Pace): void {
    for (let message = pace.held[0]; message !== undefined; message = pace.held[0]) {
      const bytes = Buffer.byteLength(message);
      if (!this.#mayPass(pace, bytes)) break;
      pace.held.shift();
      this.#count(connection, pace, -bytes);
      this.#options.forward(connection, message);
    }
    if (pace.held.length === 0) this.#waiting.delete(connection);
  }

  #forget(connection: Connection): string[] {
    const pace = this.#paces.get(connection);
    this.#waiting.delete(connection);
    if (pace === undefined) return [];
    this.#count(connection, pace, -pace.heldBytes);
    return pace.held.splice(0);
  }

  #paceOf(connection: Connection): Pace {
    let pace = this.#paces.get(connection);
    if (pace === undefined) {
      pace = { requests: new TokenBucket(), bytes: new TokenBucket(), held: [], heldBytes: 0 };
      this.#paces.set(connection, pace);
    }
    return pace;
  }

  /** Takes its price only when both buckets have something left: what waits for one costs nothing of the other. */
  #mayPass({ requests, bytes }: Pace, byteCount: number): boolean {
    const { requestsPerSecond, requestBytesPerSecond } = this.#options.rate;
    const nowMs = performance.now();
    if (!bytes.has(requestBytesPerSecond, nowMs) || !requests.take(requestsPerSecond, nowMs)) return false;
    return bytes.take(requestBytesPerSecond, nowMs, byteCount);
  }

  get #isUnlimited(): boolean {
    const { requestsPerSecond, requestBytesPerSecond } = this.#options.rate;
    return requestsPerSecond === 0 && requestBytesPerSecond === 0;
  }

  #count(connection: Connection, pace: Pace, bytes: number): void {
    pace.heldBytes += bytes;
    if (bytes !== 0) this.#options.onHeld(connection, bytes);
  }
}

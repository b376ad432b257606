import type { Connection } from '../delivery/connection.js';

/** Bytes that may wait of one client; more ends its connection. */
const HELD_BYTES_MAX = 256 * 1024;
const TICK_MS = 50;

/** A bucket that holds one second's worth, and what came when it was empty. */
interface Pace {
  tokens: number;
  countedMs: number;
  readonly held: string[];
  heldBytes: number;
}

export interface PacerOptions {
  /** Messages a second of one connection; 0: no limit. Read for each message. */
  readonly perSecond: number;
  readonly forward: (connection: Connection, message: string) => void;
  /** Called with each change of what waits, in bytes. */
  readonly onHeld: (connection: Connection, bytes: number) => void;
}

/**
 * Lets the messages of a connection through at a rate. Nobody could answer a surplus message of a pipe, so it waits for
 * its turn, in order and bounded: a burst takes longer, and nothing of it is lost.
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
    const { perSecond, forward } = this.#options;
    const pace = perSecond === 0 && !this.#waiting.has(connection) ? null : this.#paceOf(connection);
    if (pace === null || (pace.held.length === 0 && this.#mayPass(pace))) {
      forward(connection, message);
      return true;
    }
    const bytes = Buffer.byteLength(message);
    if (pace.heldBytes + bytes > HELD_BYTES_MAX) return false;
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
    while (pace.held.length > 0 && this.#mayPass(pace)) {
      const message = pace.held.shift()!;
      this.#count(connection, pace, -Buffer.byteLength(message));
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
      pace = { tokens: this.#options.perSecond, countedMs: performance.now(), held: [], heldBytes: 0 };
      this.#paces.set(connection, pace);
    }
    return pace;
  }

  #mayPass(pace: Pace): boolean {
    const { perSecond } = this.#options;
    if (perSecond === 0) return true;
    const nowMs = performance.now();
    pace.tokens = Math.min(perSecond, pace.tokens + ((nowMs - pace.countedMs) * perSecond) / 1000);
    pace.countedMs = nowMs;
    if (pace.tokens < 1) return false;
    pace.tokens--;
    return true;
  }

  #count(connection: Connection, pace: Pace, bytes: number): void {
    pace.heldBytes += bytes;
    if (bytes !== 0) this.#options.onHeld(connection, bytes);
  }
}

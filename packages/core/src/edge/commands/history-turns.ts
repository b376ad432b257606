import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../delivery/connection.js';
import { TokenBucket } from '../rate-limits.js';
import { requireOpen } from './outcome.js';

/** Full answers that one connection gets in a second: a request of 60 bytes may cost as many as the limit of an answer. */
const ANSWERS_PER_SECOND = 4;
/** Requests of one connection that wait for their turn. */
const WAITING_MAX = 32;

interface Turns {
  /** Settles with the last one. */
  last: Promise<unknown>;
  waiting: number;
  readonly bytes: TokenBucket;
}

/**
 * Answers of `history` for each connection: one is read at a time, for each may hold as much as an answer may have, and
 * they are paced by what they weigh.
 */
export class HistoryTurns {
  readonly #limits: { readonly historyBytes: number };
  readonly #turns = new WeakMap<Connection, Turns>();

  /** The limit is looked at each time. */
  constructor(limits: { readonly historyBytes: number }) {
    this.#limits = limits;
  }

  /** Reads in its turn; null: too many wait already. Rejects with RefusalError when the connection has ended. */
  take(connection: Connection, read: () => Promise<string>): Promise<string> | null {
    const turns = this.#of(connection);
    if (turns.waiting >= WAITING_MAX) return null;
    turns.waiting++;
    const turn = (): Promise<string> => this.#read(connection, turns, read);
    const reading = turns.last.then(turn, turn).finally(() => turns.waiting--);
    turns.last = reading;
    return reading;
  }

  async #read(connection: Connection, { bytes }: Turns, read: () => Promise<string>): Promise<string> {
    const perSecond = this.#limits.historyBytes * ANSWERS_PER_SECOND;
    const waitMs = bytes.msUntil(perSecond, performance.now());
    if (waitMs > 0) await delay(waitMs);
    // It may have gone while others of its requests were being answered, and nobody would get this.
    requireOpen(connection);
    const text = await read();
    bytes.take(perSecond, performance.now(), text.length);
    return text;
  }

  #of(connection: Connection): Turns {
    let turns = this.#turns.get(connection);
    if (turns === undefined) {
      turns = { last: Promise.resolve(), waiting: 0, bytes: new TokenBucket() };
      this.#turns.set(connection, turns);
    }
    return turns;
  }
}

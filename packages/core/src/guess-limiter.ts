import { addressGroup } from './edge/address-group.js';

const PAUSE_MS_MIN = 200;
/** Share in ms of the pause that each of the processes on one port adds. */
const PAUSE_MS_PER_PROCESS = 100;
/** Time in ms; a client that would have to wait longer is refused. */
const WAIT_MS_MAX = 5_000;
const LOG_EVERY_MS = 60_000;
/** Addresses remembered; the one that was seen first makes room. */
const ADDRESSES_MAX = 10_000;

interface Guesser {
  /** Time at which the next token of the address may be looked at. */
  freeAtMs: number;
  loggedMs: number;
  /** Wrong tokens since the last line in the log. */
  unlogged: number;
}

/**
 * Slows guesses at a secret down: an address that has brought a wrong token has its next ones looked at one after the
 * other with a pause between two, also those that it sends at the same time, and a right one among them. Who has brought
 * no wrong token does not wait. An IPv6 /64 is one address.
 *
 * Each process counts by itself, so where several share a port the pause is longer: guesses that spread over all of them
 * are as slow as those at one. That holds for the first ones, too, when the answer to a wrong token is held back for
 * `pauseMs`.
 */
export class GuessLimiter {
  /** Time in ms between two looks at tokens of an address that has brought a wrong one. */
  readonly pauseMs: number;
  readonly #clock: () => number;
  readonly #guessers = new Map<string, Guesser>();

  /** `processes` share a port; default 1. `clock`: ms, never set back. */
  constructor(options: { readonly processes?: number; readonly clock?: () => number } = {}) {
    const { processes = 1, clock = () => performance.now() } = options;
    this.pauseMs = Math.max(PAUSE_MS_MIN, PAUSE_MS_PER_PROCESS * processes);
    this.#clock = clock;
  }

  /** Time in ms to wait before a token of this address is looked at; null: refuse, far too many wait already. */
  waitMs(address: string): number | null {
    const guesser = this.#guessers.get(addressGroup(address));
    const nowMs = this.#clock();
    if (guesser === undefined || guesser.freeAtMs <= nowMs) return 0;
    const waitMs = guesser.freeAtMs - nowMs;
    if (waitMs > WAIT_MS_MAX) return null;
    guesser.freeAtMs += this.pauseMs;
    return waitMs;
  }

  /** The token was wrong. Gives the number of wrong tokens to be logged; 0: the address was logged a moment ago. */
  wrong(address: string): number {
    const nowMs = this.#clock();
    const group = addressGroup(address);
    const guesser = this.#guessers.get(group) ?? { freeAtMs: nowMs, loggedMs: -Infinity, unlogged: 0 };
    this.#guessers.delete(group);
    this.#makeRoom();
    this.#guessers.set(group, guesser);
    guesser.freeAtMs = Math.max(guesser.freeAtMs, nowMs + this.pauseMs);
    guesser.unlogged++;
    if (nowMs - guesser.loggedMs < LOG_EVERY_MS) return 0;
    const attempts = guesser.unlogged;
    guesser.loggedMs = nowMs;
    guesser.unlogged = 0;
    return attempts;
  }

  #makeRoom(): void {
    if (this.#guessers.size < ADDRESSES_MAX) return;
    for (const address of this.#guessers.keys()) {
      this.#guessers.delete(address);
      return;
    }
  }
}

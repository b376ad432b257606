/** Time in ms between two looks at tokens of an address that has brought a wrong one. */
const PAUSE_MS = 200;
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
 * no wrong token does not wait.
 */
export class GuessLimiter {
  readonly #clock: () => number;
  readonly #guessers = new Map<string, Guesser>();

  /** `clock`: ms, never set back. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Time in ms to wait before a token of this address is looked at; null: refuse, far too many wait already. */
  waitMs(address: string): number | null {
    const guesser = this.#guessers.get(address);
    const nowMs = this.#clock();
    if (guesser === undefined || guesser.freeAtMs <= nowMs) return 0;
    const waitMs = guesser.freeAtMs - nowMs;
    if (waitMs > WAIT_MS_MAX) return null;
    guesser.freeAtMs += PAUSE_MS;
    return waitMs;
  }

  /** The token was wrong. Gives the number of wrong tokens to be logged; 0: the address was logged a moment ago. */
  wrong(address: string): number {
    const nowMs = this.#clock();
    const guesser = this.#guessers.get(address) ?? { freeAtMs: nowMs, loggedMs: -Infinity, unlogged: 0 };
    this.#guessers.delete(address);
    this.#makeRoom();
    this.#guessers.set(address, guesser);
    guesser.freeAtMs = Math.max(guesser.freeAtMs, nowMs + PAUSE_MS);
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

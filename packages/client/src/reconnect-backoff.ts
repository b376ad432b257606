export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  readonly random?: () => number;
}

/**
 * Exponential backoff with full jitter: each delay is drawn from all of 0 … min(cap, base · 2ⁿ), so that clients which
 * lost the same node don't come back together.
 */
export class ReconnectBackoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #random: () => number;
  #attempt = 0;

  constructor(options: BackoffOptions) {
    this.#baseMs = options.baseMs;
    this.#capMs = options.capMs;
    this.#random = options.random ?? Math.random;
  }

  /** Delay before the next attempt. A crowd that has to be spread over more than the range so far draws from `spreadMs`. */
  next(spreadMs = 0): number {
    const ceilingMs = Math.min(this.#capMs, this.#baseMs * 2 ** this.#attempt);
    // Beyond this the ceiling is the cap anyway, and 2 ** 1024 is Infinity.
    if (ceilingMs < this.#capMs) this.#attempt++;
    return Math.floor(this.#random() * Math.max(ceilingMs, spreadMs));
  }

  /** Begins again when a connection has lasted: one that is closed as soon as it opens must not reset it. */
  reset(): void {
    this.#attempt = 0;
  }
}

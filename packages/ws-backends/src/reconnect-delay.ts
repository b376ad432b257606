const FIRST_MS = 200;

/**
 * Chooses the wait before the next attempt: random between nothing and a bound that doubles up to `maxMs`. All nodes
 * lose a backend at the same moment, and they must not come back to it at the same moment.
 */
export class ReconnectDelay {
  readonly #maxMs: number;
  #attempts = 0;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  next(): number {
    return Math.random() * Math.min(this.#maxMs, FIRST_MS * 2 ** this.#attempts++);
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Allows at most `max` in a row, and one more each time that `refillMs` have gone by. */
export class RefillingBudget {
  readonly #max: number;
  readonly #refillMs: number;
  readonly #clock: () => number;
  #left: number;
  #countedMs: number;

  /** `clock`: ms, never set back. */
  constructor(max: number, refillMs: number, clock: () => number) {
    this.#max = max;
    this.#refillMs = refillMs;
    this.#clock = clock;
    this.#left = max;
    this.#countedMs = clock();
  }

  /** Takes one; false when nothing is left. */
  take(): boolean {
    if (this.#refillMs <= 0) return true;
    const nowMs = this.#clock();
    this.#left = Math.min(this.#max, this.#left + (nowMs - this.#countedMs) / this.#refillMs);
    this.#countedMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

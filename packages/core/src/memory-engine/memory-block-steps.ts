import type { BlockItem } from '../engine.js';

/** How long a step is known, in ms: who has not read its record by then has other troubles. */
const KNOWN_MS = 86_400_000;

/** Steps that two bring, of which one was done (see BlockItem.step). */
export class MemoryBlockSteps {
  readonly #clock: () => number;
  /** End of what is known of each, ms since the epoch; in the order of these ends. */
  readonly #ends = new Map<string, number>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  isDone({ step, user }: BlockItem): boolean {
    return step !== undefined && this.#ends.has(`${step} ${user}`);
  }

  done({ step, user }: BlockItem): void {
    if (step === undefined) return;
    const nowMs = this.#clock();
    this.#ends.delete(`${step} ${user}`);
    this.#ends.set(`${step} ${user}`, nowMs + KNOWN_MS);
    for (const [name, endMs] of this.#ends) {
      if (endMs > nowMs) break;
      this.#ends.delete(name);
    }
  }
}

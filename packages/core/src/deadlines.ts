/** Something that is given up when it takes too long. */
export interface Expiring {
  expire(): void;
}

/**
 * Gives up what is not done in time. All have the same time, so they come due in the order in which they came: one timer
 * for as many as there are, set to the oldest.
 */
export class Deadlines {
  readonly #timeoutMs: number;
  /** Times of `performance.now()` by what comes due then, oldest first. */
  readonly #dueMs = new Map<Expiring, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  add(item: Expiring): void {
    this.#dueMs.set(item, performance.now() + this.#timeoutMs);
    if (this.#timer === null) this.#arm(this.#timeoutMs);
  }

  remove(item: Expiring): void {
    this.#dueMs.delete(item);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    this.#timer = setTimeout(() => this.#look(), delayMs);
    this.#timer.unref();
  }

  #look(): void {
    this.#timer = null;
    const nowMs = performance.now();
    for (const [item, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) return this.#arm(Math.ceil(dueMs - nowMs));
      this.#dueMs.delete(item);
      item.expire();
    }
  }
}

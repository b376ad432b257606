/**
 * Shortest window in ms. Two scrapes that are closer together (two Prometheus servers) get the same figure, because the
 * noise would be too large.
 */
const WINDOW_MS_MIN = 1_000;

/**
 * Makes rates of growing counts when they are asked for: the growth since the reading before, divided by the time since
 * then. The window is the scrape interval, and nothing runs between two scrapes.
 */
export class Rates {
  readonly #clock: () => number;
  #readAtMs: number;
  #counts = new Map<string, number>();
  #rates = new Map<string, number>();

  constructor(clock: () => number) {
    this.#clock = clock;
    this.#readAtMs = clock();
  }

  /** Sets the counts from which the first reading starts; without it that starts from nothing. */
  seed(counts: ReadonlyMap<string, number>): void {
    this.#counts = new Map(counts);
    this.#readAtMs = this.#clock();
  }

  /** Returns the rates per second, by the same keys as the counts. */
  read(counts: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const nowMs = this.#clock();
    const elapsedMs = nowMs - this.#readAtMs;
    // What is new since the reading before has a series all the same, or there would be none in the first second.
    if (elapsedMs < WINDOW_MS_MIN) return new Map([...counts.keys()].map((key) => [key, this.#rates.get(key) ?? 0]));
    this.#rates = new Map();
    for (const [key, count] of counts)
      this.#rates.set(key, ((count - (this.#counts.get(key) ?? 0)) / elapsedMs) * 1000);
    this.#counts = new Map(counts);
    this.#readAtMs = nowMs;
    return this.#rates;
  }
}

/** The backend is not asked: it gave no answer so often that asking would only take time and places. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
}

/** Number of calls in a row without any answer after which the circuit opens. */
const FAILURES_MAX = 10;
const OPEN_MS_FIRST = 1_000;
const OPEN_MS_MAX = 10_000;

/**
 * Keeps calls from a backend that does not answer. After some failures in a row the circuit is open for a second; then
 * one call is let through, and its fate decides: the circuit closes, or stays open for twice as long, up to a bound.
 */
export class CircuitBreaker {
  readonly #isFailure: (error: unknown) => boolean;
  readonly #clock: () => number;
  #failures = 0;
  /** Time until which it is open; 0: closed, Infinity: open, and a trial is under way. */
  #openUntilMs = 0;
  #openMs = OPEN_MS_FIRST;

  /** `isFailure` tells errors of a backend that did not answer from all others; `clock`: ms, never set back. */
  constructor(isFailure: (error: unknown) => boolean, clock: () => number = () => performance.now()) {
    this.#isFailure = isFailure;
    this.#clock = clock;
  }

  get isOpen(): boolean {
    return this.#clock() < this.#openUntilMs;
  }

  /** Makes the call. Rejects with CircuitOpenError, or as `call` does. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    if (this.isOpen) throw new CircuitOpenError('the backend does not answer; it is asked again in a moment');
    const isTrial = this.#openUntilMs > 0;
    if (isTrial) this.#openUntilMs = Infinity;
    try {
      const answer = await call();
      this.#close();
      return answer;
    } catch (error) {
      if (!this.#isFailure(error)) this.#close();
      else if (isTrial) this.#open(Math.min(this.#openMs * 2, OPEN_MS_MAX));
      // Calls that began before it opened tell nothing new.
      else if (this.#openUntilMs === 0 && ++this.#failures >= FAILURES_MAX) this.#open(OPEN_MS_FIRST);
      throw error;
    }
  }

  #open(openMs: number): void {
    this.#openMs = openMs;
    this.#openUntilMs = this.#clock() + openMs;
  }

  #close(): void {
    this.#failures = 0;
    this.#openUntilMs = 0;
  }
}

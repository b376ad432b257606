export interface BackoffOptions {
  /** Bound of the first delay, ms. */
  readonly firstMs: number;
  /** Bound that the doubling stops at, ms. */
  readonly maxMs: number;
  /** Share of each delay that is random, 0 to 1. */
  readonly jitter: number;
}

/** Delays of a router's lanes: half of each is random, so that lanes and nodes do not come back in step. */
const LANES: BackoffOptions = { firstMs: 100, maxMs: 1000, jitter: 0.5 };

/** Delays that double from the first one up to a bound, until something succeeds and `reset` is called. */
export class Backoff {
  readonly #options: BackoffOptions;
  #attempts = 0;

  constructor(options: BackoffOptions = LANES) {
    this.#options = options;
  }

  /** The next delay in ms, for a caller with a timer of its own. */
  next(): number {
    const { firstMs, maxMs, jitter } = this.#options;
    const boundMs = Math.min(maxMs, firstMs * 2 ** this.#attempts++);
    return boundMs * (1 - jitter * Math.random());
  }

  /** Waits for the next delay, or until the signal aborts. Never rejects. */
  async wait(signal: AbortSignal): Promise<void> {
    await sleep(this.next(), signal);
  }

  /** Tells whether nothing was waited for since the last reset. */
  get isFresh(): boolean {
    return this.#attempts === 0;
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Resolves after the time or when the signal aborts, whichever is first. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

const FIRST_MS = 100;
const LAST_MS = 1000;

/**
 * Waits ever longer: from 100 ms it doubles up to 1 s. Half of each delay is random, so that lanes and nodes do not
 * come back in step.
 */
export class Backoff {
  #attempts = 0;

  /** Waits for the next delay, or until the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const delayMs = Math.min(LAST_MS, FIRST_MS * 2 ** this.#attempts);
    this.#attempts++;
    await sleep(delayMs * (0.5 + Math.random() / 2), signal);
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
async function sleep(ms: number, signal: AbortSignal): Promise<void> {
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

const FIRST_MS = 100;
const LAST_MS = 1000;

/** Doubles from 100 ms to 1 s; half of it is chance, so that lanes and nodes don't come back in step. */
export class Backoff {
  #attempts = 0;

  /** Waits, less if the signal aborts. */
  async wait(signal: AbortSignal): Promise<void> {
    const delayMs = Math.min(LAST_MS, FIRST_MS * 2 ** this.#attempts);
    this.#attempts++;
    await sleep(delayMs * (0.5 + Math.random() / 2), signal);
  }

  /** Nothing was waited for since the last reset. */
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

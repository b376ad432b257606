import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /**
   * Time limit in ms, 30 seconds by default: on a busy machine a wait may take long, and a passing test never waits in
   * vain.
   */
  readonly timeoutMs?: number;
  /** What the test waits for, for the message of a failure. */
  readonly what?: string;
}

const POLL_MS = 15;
const TIMEOUT_MS = 30_000;

type Falsy = false | null | undefined | 0 | '';

/**
 * Asks until the condition holds, and returns its value. A condition that throws does not hold yet; its last error
 * becomes the cause of the failure when the time is over.
 */
export async function waitFor<T>(
  condition: () => T | Falsy | Promise<T | Falsy>,
  options: WaitOptions = {},
): Promise<Exclude<T, Falsy>> {
  const { timeoutMs = TIMEOUT_MS, what = condition.toString() } = options;
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const value = await condition();
      if (value) return value as Exclude<T, Falsy>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(POLL_MS);
  } while (Date.now() < deadline);
  const last = cause instanceof Error ? `; last: ${cause.message}` : '';
  throw new Error(`not within ${timeoutMs} ms: ${what}${last}`, { cause });
}

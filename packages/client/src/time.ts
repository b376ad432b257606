import { ClientError } from './errors.js';

/** Resolves after the time, or at once when the signal aborts. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || ms <= 0) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** Rejects with ClientError `timeout` when the promise takes longer. */
export async function atMost<T>(ms: number, promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ClientError('timeout', `${what}: not within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The promise's value, or null as soon as the signal aborts. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(null);
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

const PROBE_TIMEOUT_MS = 5_000;

/**
 * Tells whether plain HTTP gets through to the address. A page of another origin may not see what is answered there,
 * only that something was. Never rejects.
 */
export async function reachable(url: string): Promise<boolean> {
  try {
    // A constant of its own: the types of Node's fetch do not have `cache`.
    const init = { mode: 'no-cors', cache: 'no-store', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) } as const;
    const { type, status } = await fetch(url, init);
    return type === 'opaque' || status < 500;
  } catch {
    // Any reason is the same answer: no fetch here, no timeouts, no network.
    return false;
  }
}

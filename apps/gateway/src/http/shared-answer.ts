import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

/** Times as long as an answer took to make that pass before the next one is begun. */
const REST = 9;
/** A probe does not wait longer, however slow the answer before was. */
const REST_MS_MAX = 100;

/**
 * Makes one answer for all who ask before it is begun, and rests between two: however often it is asked for, and by
 * however many, little of the time goes into it. Who asks alone waits for nothing, and nobody gets what is older than the
 * question.
 */
export function sharedAnswer<T>(make: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | null = null;
  let restsUntilMs = 0;
  const begin = async (): Promise<T> => {
    const restMs = restsUntilMs - performance.now();
    await (restMs > 0 ? delay(restMs) : nextTurn());
    next = null;
    const beganMs = performance.now();
    try {
      return await make();
    } finally {
      const endedMs = performance.now();
      restsUntilMs = endedMs + Math.min(REST_MS_MAX, (endedMs - beganMs) * REST);
    }
  };
  return () => (next ??= begin());
}

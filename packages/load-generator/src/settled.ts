import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/** Resolves when the count is reached, or has not moved for a while: what is missing then is lost. */
export async function settled(count: () => Promise<number>, expected: number, quietMs: number): Promise<void> {
  let last = -1;
  let movedAt = Date.now();
  for (;;) {
    const now = await count();
    if (now >= expected || Date.now() - movedAt > quietMs) return;
    if (now !== last) movedAt = Date.now();
    last = now;
    await delay(POLL_MS);
  }
}

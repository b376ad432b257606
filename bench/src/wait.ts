import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;

/** Rejects when it takes too long, or when the condition itself throws. */
export async function waitFor(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await delay(POLL_MS);
  }
}

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

import { describe, expect, it } from '@jest/globals';
import { Lifetimes } from '../../../src/edge/node/lifetimes.js';

/** Hastes of sockets that came together, evenly spread. */
const hastes = Array.from({ length: 101 }, (_, at) => at / 100);

function ended(lifetimes: Lifetimes, nowMs: number): number {
  const hasEnded = lifetimes.endedAt(nowMs);
  return hastes.filter((haste) => hasEnded({ cameAtMs: 0, haste })).length;
}

describe('The lifetime of connections', () => {
  it('ends up to a tenth earlier than its limit, and spreads sockets that came together over that tenth', () => {
    const lifetimes = new Lifetimes({ maxLifetimeMs: 1000 });
    expect([899, 950, 1000].map((nowMs) => ended(lifetimes, nowMs))).toEqual([0, 51, 101]);
  });

  it('has no end without a limit', () => {
    expect(ended(new Lifetimes({ maxLifetimeMs: 0 }), 1e12)).toBe(0);
  });

  it('follows another limit while sockets are open: those that are too old go within a tenth of it', () => {
    const options = { maxLifetimeMs: 0 };
    const lifetimes = new Lifetimes(options);
    expect(ended(lifetimes, 50_000)).toBe(0);
    options.maxLifetimeMs = 1000;
    expect([60_000, 60_050, 60_100].map((nowMs) => ended(lifetimes, nowMs))).toEqual([1, 51, 101]);
    options.maxLifetimeMs = 100_000;
    expect([60_200, 89_999, 100_000].map((nowMs) => ended(lifetimes, nowMs))).toEqual([0, 0, 101]);
  });
});

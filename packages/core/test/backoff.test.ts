import { describe, expect, it } from '@jest/globals';
import { Backoff } from '../src/index.js';

const delays = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next());

describe('a backoff', () => {
  it('doubles its delay up to the bound, and begins anew after a reset', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 500, jitter: 0 });
    expect(backoff.isFresh).toBe(true);
    expect(delays(backoff, 5)).toEqual([100, 200, 400, 500, 500]);
    expect(backoff.isFresh).toBe(false);
    backoff.reset();
    expect([backoff.isFresh, backoff.next()]).toEqual([true, 100]);
  });

  it('keeps a random delay between the share that is not random and the bound', () => {
    const half = delays(new Backoff({ firstMs: 100, maxMs: 100, jitter: 0.5 }), 200);
    const whole = delays(new Backoff({ firstMs: 100, maxMs: 100, jitter: 1 }), 200);
    expect(Math.min(...half)).toBeGreaterThanOrEqual(50);
    expect(Math.min(...whole)).toBeLessThan(50);
    for (const delayMs of [...half, ...whole]) expect(delayMs).toBeLessThanOrEqual(100);
    expect(new Set(whole).size).toBeGreaterThan(100);
  });

  it('ends a wait when the signal aborts', async () => {
    const stopping = new AbortController();
    const waiting = new Backoff({ firstMs: 3_600_000, maxMs: 3_600_000, jitter: 0 }).wait(stopping.signal);
    stopping.abort();
    await waiting;
    expect(stopping.signal.aborted).toBe(true);
  });
});

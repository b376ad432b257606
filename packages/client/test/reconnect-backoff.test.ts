import { describe, expect, it } from '@jest/globals';
import { ReconnectBackoff } from '../src/reconnect-backoff.js';

describe('backoff', () => {
  it('draws from a range that doubles up to the cap', () => {
    const backoff = new ReconnectBackoff({ baseMs: 100, capMs: 1000, random: () => 0.999_999 });
    expect(Array.from({ length: 6 }, () => backoff.next())).toEqual([99, 199, 399, 799, 999, 999]);
  });

  it('may draw no delay at all', () => {
    const backoff = new ReconnectBackoff({ baseMs: 100, capMs: 1000, random: () => 0 });
    expect([backoff.next(), backoff.next()]).toEqual([0, 0]);
  });

  it('spreads evenly: a crowd that lost the same node comes back as a slope', () => {
    const delays = Array.from({ length: 4000 }, () => new ReconnectBackoff({ baseMs: 1000, capMs: 30_000 }).next());
    const quarters = [0, 1, 2, 3].map((quarter) => delays.filter((ms) => Math.floor(ms / 250) === quarter).length);
    for (const count of quarters) expect(count).toBeGreaterThan(800);
  });

  it('never overflows, and begins anew after a reset', () => {
    const backoff = new ReconnectBackoff({ baseMs: 500, capMs: 30_000, random: () => 0.5 });
    for (let attempt = 0; attempt < 5000; attempt++) expect(backoff.next()).toBeLessThanOrEqual(15_000);
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });
});

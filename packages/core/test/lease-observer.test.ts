import { describe, expect, it } from '@jest/globals';
import { LeaseObserver } from '../src/lease-observer.js';

const SECOND_MS = 1000;

function observe() {
  const observer = new LeaseObserver({ leaseMs: 10_000, lookMsMax: 2 * SECOND_MS });
  let nowMs = 1_000_000;
  return {
    observer,
    /** Looks once a second at these scores; returns after how many looks the node `b` was dead, null for never. */
    looks(count: number, scoreOf: (look: number) => number, everyMs = SECOND_MS): number | null {
      for (let look = 0; look < count; look++) {
        nowMs += everyMs;
        const dead = observer.look([{ node: 'b', score: String(scoreOf(look)) }], nowMs);
        if (dead.length > 0) return look;
      }
      return null;
    },
  };
}

describe('a lease as another node sees it', () => {
  it('is dead when it has not moved for a lease time of looks', () => {
    expect(observe().looks(20, () => 5)).toBe(10);
  });

  it('lives as long as it moves, whatever its score says of the time', () => {
    const { looks } = observe();
    expect(looks(30, (look) => 100 + look)).toBeNull();
    // The clock was stepped back by more than a lease.
    expect(looks(30, (look) => -100_000 + look)).toBeNull();
  });

  // The first connection that was read when Redis went on refreshed itself and found all the others expired.
  it('lives when Redis stood still: a long time between two looks is one look', () => {
    const { looks } = observe();
    looks(1, () => 5);
    expect(looks(3, () => 5, 60_000)).toBeNull();
  });

  it('is looked at from the beginning after a look that failed', () => {
    const { observer, looks } = observe();
    expect(looks(9, () => 5)).toBeNull();
    observer.interrupt();
    expect(looks(9, () => 5)).toBeNull();
    expect(looks(9, () => 5)).toBe(1);
  });

  it('is looked at from the beginning when it has come again', () => {
    const { observer, looks } = observe();
    looks(9, () => 5);
    observer.look([], 2_000_000);
    expect(looks(9, () => 5)).toBeNull();
  });

  it('rests as long as it asks for', () => {
    const { observer } = observe();
    const leases = ['b', 'c'].map((node) => ({ node, score: '5', leaseMs: node === 'b' ? 3000 : 5000 }));
    const dead = Array.from({ length: 7 }, (_, look) =>
      observer.look(leases, look * SECOND_MS).map(({ node }) => node),
    );
    expect(dead).toEqual([[], [], [], ['b'], ['b'], ['b', 'c'], ['b', 'c']]);
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { GuessLimiter } from '../src/index.js';

let time: { ms: number };
let limiter: GuessLimiter;

beforeEach(() => {
  time = { ms: 1_000_000 };
  limiter = new GuessLimiter({ clock: () => time.ms });
});

describe('guesses at a secret', () => {
  it('are looked at one after the other once one was wrong, also those that come at the same time', () => {
    expect(limiter.waitMs('a')).toBe(0);
    limiter.wrong('a');
    expect([1, 2, 3].map(() => limiter.waitMs('a'))).toEqual([200, 400, 600]);
    time.ms += 800;
    expect(limiter.waitMs('a')).toBe(0);
  });

  // An IPv6 customer has 2^64 addresses.
  it('of one IPv6 /64 are those of one address', () => {
    limiter.wrong('2001:db8::1');
    expect([limiter.waitMs('2001:db8::2'), limiter.waitMs('2001:db8:0:1::1')]).toEqual([200, 0]);
  });

  // 25 of them at eight workers were through in half a second.
  it.each([1, 2, 3, 4, 8, 13, 24, 25, 64])('are as slow where %i processes share a port', (processes) => {
    const limiters = Array.from({ length: processes }, () => new GuessLimiter({ processes, clock: () => time.ms }));
    const oneAfterTheOther = limiters[0]!.pauseMs * 25;
    const answeredAfterMs = Array.from({ length: 25 }, (_, guess) => {
      const at = limiters[guess % processes]!;
      const waitMs = at.waitMs('a')!;
      if (waitMs === 0) at.wrong('a');
      return waitMs + at.pauseMs;
    });
    expect(Math.min(oneAfterTheOther, Math.max(...answeredAfterMs))).toBeGreaterThan(2_000);
  });

  it('cost nobody at another address anything', () => {
    for (let guess = 0; guess < 10; guess++) limiter.wrong('a');
    expect(limiter.waitMs('b')).toBe(0);
  });

  it('are refused when too many wait, and taken again later', () => {
    limiter.wrong('a');
    const waits = Array.from({ length: 100 }, () => limiter.waitMs('a'));
    expect(waits.filter((wait) => wait !== null)).toHaveLength(25);
    expect(waits.at(-1)).toBeNull();
    time.ms += 5_200;
    expect(limiter.waitMs('a')).toBe(0);
  });

  it('are logged once a minute for each address, with how many there were', () => {
    expect([1, 2, 3].map(() => limiter.wrong('a'))).toEqual([1, 0, 0]);
    expect(limiter.wrong('b')).toBe(1);
    time.ms += 60_000;
    expect(limiter.wrong('a')).toBe(3);
  });
});

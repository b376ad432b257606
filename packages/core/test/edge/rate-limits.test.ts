import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../src/edge/delivery/connection.js';
import { limitRequest } from '../../src/edge/rate-limits.js';

const fresh = () => ({ rateWindowMs: 0, rateCount: 0, rateExceededWindows: 0 }) as Connection;

function flood(connection: Connection, atMs: number, requests: number, perSecond: number): string[] {
  return Array.from({ length: requests }, () => limitRequest(connection, perSecond, atMs));
}

describe('the request limit of a connection', () => {
  it('answers each surplus request within a second with rate_limited', () => {
    expect(flood(fresh(), 10_000, 7, 5)).toEqual([...Array(5).fill('allowed'), 'rate_limited', 'rate_limited']);
  });

  it('allows again in the next second', () => {
    const connection = fresh();
    flood(connection, 10_000, 6, 5);
    expect(limitRequest(connection, 5, 11_000)).toBe('allowed');
  });

  it('closes after ten seconds in a row over the limit', () => {
    const connection = fresh();
    const verdicts = Array.from({ length: 10 }, (_, second) => flood(connection, 10_000 + second * 1000, 6, 5).at(-1));
    expect(verdicts).toEqual([...Array(9).fill('rate_limited'), 'close']);
  });

  it('starts to count anew after a second within the limit', () => {
    const connection = fresh();
    for (let second = 0; second < 9; second++) flood(connection, 10_000 + second * 1000, 6, 5);
    flood(connection, 19_000, 5, 5);
    expect(flood(connection, 20_000, 6, 5).at(-1)).toBe('rate_limited');
  });

  it('closes at more than ten times the limit within one second', () => {
    expect(flood(fresh(), 10_000, 51, 5).at(-1)).toBe('close');
    expect(flood(fresh(), 10_000, 50, 5).at(-1)).toBe('rate_limited');
  });

  it('knows no limit at zero', () => {
    expect(new Set(flood(fresh(), 10_000, 500, 0))).toEqual(new Set(['allowed']));
  });
});

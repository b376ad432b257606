import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../../src/edge/delivery/connection.js';
import { limitRequest, TokenBucket } from '../../src/edge/rate-limits.js';

const fresh = () => ({ rateWindowMs: 0, rateCount: 0, rateBytes: 0, rateExceededWindows: 0 }) as Connection;

const rate = (requestsPerSecond: number, requestBytesPerSecond = 0) => ({ requestsPerSecond, requestBytesPerSecond });

function flood(connection: Connection, atMs: number, requests: number, perSecond: number): string[] {
  return Array.from({ length: requests }, () => limitRequest(connection, rate(perSecond), 10, atMs));
}

describe('the request limit of a connection', () => {
  it('answers each surplus request within a second with rate_limited', () => {
    expect(flood(fresh(), 10_000, 7, 5)).toEqual([...Array(5).fill('allowed'), 'rate_limited', 'rate_limited']);
  });

  it('allows again in the next second', () => {
    const connection = fresh();
    flood(connection, 10_000, 6, 5);
    expect(limitRequest(connection, rate(5), 10, 11_000)).toBe('allowed');
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

  it('counts bytes as it counts requests', () => {
    const patient = fresh();
    const seconds = Array.from({ length: 10 }, (_, second) =>
      [60, 60].map((bytes) => limitRequest(patient, rate(50, 100), bytes, 10_000 + second * 1000)).at(-1),
    );
    expect(seconds).toEqual([...Array(9).fill('rate_limited'), 'close']);
    const hurried = fresh();
    const hasty = Array.from({ length: 21 }, () => 50).map((bytes) =>
      limitRequest(hurried, rate(0, 100), bytes, 10_000),
    );
    expect([hasty.at(-2), hasty.at(-1)]).toEqual(['rate_limited', 'close']);
  });

  // A frame of 64 kB was more than ten times what 1 kB a second allows: the next frame, however short, closed the socket.
  it('lets a frame pass that is larger than the bytes of a second, and refuses what follows it without closing', () => {
    const connection = fresh();
    const verdicts = [64_000, 1, 1].map((bytes) => limitRequest(connection, rate(50, 1000), bytes, 10_000));
    expect(verdicts).toEqual(['allowed', 'rate_limited', 'rate_limited']);
    const eachSecond = Array.from({ length: 20 }, (_, at) =>
      limitRequest(connection, rate(50, 1000), 64_000, 11_000 + at * 1000),
    );
    expect(new Set(eachSecond)).toEqual(new Set(['allowed']));
    const many = Array.from({ length: 11 }, () => limitRequest(connection, rate(50, 1000), 64_000, 40_000));
    expect([many[1], many[9], many[10]]).toEqual(['rate_limited', 'rate_limited', 'close']);
  });
});

describe('a bucket', () => {
  it('holds one second’s worth and fills again with time, and knows no limit at zero', () => {
    const bucket = new TokenBucket();
    expect([1000, 1000, 1000, 1400, 1500, 9000].map((atMs) => bucket.take(2, atMs))).toEqual([
      ...[true, true, false],
      ...[false, true, true],
    ]);
    expect(new TokenBucket().take(0, 0, 1000)).toBe(true);
  });

  it('tells how long a take would wait', () => {
    const bucket = new TokenBucket();
    expect(bucket.msUntil(100, 0)).toBe(0);
    bucket.take(100, 0, 150);
    expect([bucket.msUntil(100, 0), bucket.msUntil(100, 500), bucket.msUntil(100, 510)]).toEqual([510, 10, 0]);
  });

  it('makes what costs more wait for as much longer', () => {
    const bucket = new TokenBucket();
    expect([bucket.take(20, 0, 50), bucket.take(20, 1500), bucket.take(20, 1600)]).toEqual([true, false, true]);
  });
});

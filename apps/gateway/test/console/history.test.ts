import { describe, expect, it } from '@jest/globals';
import { roundTop, timeTicks } from '../../console/axes.js';
import { ClusterHistory, type Reading } from '../../console/cluster-history.js';

/** Tests of what the charts of the last hour are drawn from. */

const NOON = Date.parse('2026-01-01T12:00:00Z') / 10_000;

function reading(period: number, own: Partial<Reading> = {}): Reading {
  return {
    timestamp: new Date((NOON + period) * 10_000).toISOString(),
    ...{ connections: 0, slow: 0, records_per_second: 0, sent_per_second: 0, received_per_second: 0, lag: 0 },
    ...{ dead_letters: 0, memory_bytes: 0, cpu: 0, age_p99_ms: null },
    ...own,
  };
}

function values(history: ClusterHistory, ...args: Parameters<ClusterHistory['series']>): [number, number | null][] {
  return [...history.series(...args)].map(([period, value]) => [period - NOON, value]);
}

describe('the history of the cluster', () => {
  it('adds up what nodes told of the same period, and takes the largest where a sum says nothing', () => {
    const history = new ClusterHistory();
    history.add('a', [reading(1, { connections: 2, age_p99_ms: 5 }), reading(2, { connections: 3 })]);
    history.add('b', [reading(2, { connections: 10, age_p99_ms: 7 })]);
    const sums = [
      [1, 2],
      [2, 13],
    ];
    expect(values(history, 'connections', null, 'sum')).toEqual(sums);
    const ages = [
      [1, 5],
      [2, 7],
    ];
    expect(values(history, 'age_p99_ms', null, 'max')).toEqual(ages);
    expect(values(history, 'age_p99_ms', 'a', 'max')).toEqual([
      [1, 5],
      [2, null],
    ]);
  });

  it('waits for a node that is a moment late, and not for one that is silent or gone', () => {
    const history = new ClusterHistory();
    history.add(
      'a',
      [1, 2, 3].map((period) => reading(period)),
    );
    history.add(
      'b',
      [1, 2].map((period) => reading(period)),
    );
    expect(history.range(['a', 'b'])).toEqual({ first: NOON + 1, last: NOON + 2 });
    expect(history.range(['a'])).toEqual({ first: NOON + 1, last: NOON + 3 });
    history.add(
      'a',
      [4, 5, 6].map((period) => reading(period)),
    );
    expect(history.range(['a', 'b'])).toEqual({ first: NOON + 1, last: NOON + 4 });
  });

  it('keeps an hour, and of a node that has gone what lies within it', () => {
    const history = new ClusterHistory();
    history.add('gone', [reading(1), reading(300)]);
    history.add('a', [reading(600)]);
    expect(history.lastOf('gone')).toBe(reading(300).timestamp);
    expect(history.range(['a'])).toEqual({ first: NOON + 300, last: NOON + 600 });
    history.add('a', [reading(700)]);
    expect(history.nodes).toEqual(['a']);
    expect(history.lastOf('gone')).toBeNull();
  });

  it('has nothing to show before anybody has told', () => {
    const history = new ClusterHistory();
    history.add('a', []);
    expect([history.nodes, history.range(['a'])]).toEqual([[], null]);
  });
});

describe('an axis', () => {
  it('ends with a number whose half is as round as it is', () => {
    const tops = [0, 2, 2.5, 7, 11, 99, 101, 999].map((max) => roundTop(max, { least: 2 }));
    expect(tops).toEqual([2, 2, 4, 8, 20, 100, 200, 1000]);
    expect(roundTop(0.031, { least: 0.02 })).toBeCloseTo(0.04);
    const megabyte = 1024 * 1024;
    expect(roundTop(163 * megabyte, { least: megabyte, base: 1024 })).toBe(200 * megabyte);
    expect(roundTop(1.5 * 1024 * megabyte, { least: megabyte, base: 1024 })).toBe(2 * 1024 * megabyte);
  });

  it('has as many round times as there is room for', () => {
    const [from, hour] = [Date.parse('2026-01-01T12:07:30Z'), 3_600_000];
    const minutes = (room: number) => timeTicks(from, from + hour, room).map((atMs) => new Date(atMs).getUTCMinutes());
    expect(minutes(4)).toEqual([15, 30, 45, 0]);
    expect(minutes(2)).toEqual([30, 0]);
    expect(timeTicks(from, from + 60_000, 4)).toEqual([Date.parse('2026-01-01T12:08:00Z')]);
  });
});

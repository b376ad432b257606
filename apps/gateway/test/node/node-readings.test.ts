import { describe, expect, it } from '@jest/globals';
import { EdgeStats, RouterStats, type NodeStatus } from '@ws-gateway/core';
import { NodeReadings } from '../../src/node/node-readings.js';

const NOON_MS = Date.parse('2026-01-01T12:00:00Z');

/** A node's readings, by a clock that stands until it is moved. */
function readingsAt(startMs: number) {
  const stats = { edge: new EdgeStats(), router: new RouterStats() };
  let nowMs = startMs;
  const readings = new NodeReadings(stats, () => nowMs);
  const status = (own: Partial<NodeStatus> = {}): NodeStatus => ({
    ...{ role: 'all', address: '', version: '', sinceMs: 0, connections: 0, users: 0, draining: false, lag: {} },
    ...own,
  });
  const takeAt = (atMs: number, own?: Partial<NodeStatus>): void => {
    nowMs = atMs;
    readings.take(status(own));
  };
  return { readings, stats, takeAt };
}

function times({ readings }: { readings: NodeReadings }): string[] {
  return readings.after(0).map(({ timestamp }) => timestamp.slice(11, 19));
}

describe('the readings of a node', () => {
  it('are one for each ten seconds of the day, the first when one has passed since the start', () => {
    const node = readingsAt(NOON_MS);
    for (let second = 3; second <= 31; second++) node.takeAt(NOON_MS + second * 1000 + 400);
    expect(times(node)).toEqual(['12:00:10', '12:00:20', '12:00:30']);
  });

  it('say how it was, and how much came and went since the one before', () => {
    const node = readingsAt(NOON_MS);
    const { edge, router } = node.stats;
    edge.messagesSent.add('notification', 5);
    router.messagesProcessed.add('notifications', 5);
    node.takeAt(NOON_MS, { deadLetters: 4 });
    edge.messagesSent.add('notification', 1_000_000);
    edge.messagesSent.add('response', 1_000_000);
    edge.messagesReceived.add('ping', 1_000_000);
    edge.slowConnections = 2;
    const lag = { notifications: 7, wss: 1 };
    node.takeAt(NOON_MS + 10_000, { deadLetters: 6, connections: 12, lag, ageP99Ms: 25 });
    const [reading] = node.readings.after(0);
    expect(reading).toMatchObject({ connections: 12, slow: 2, lag: 8, dead_letters: 2, age_p99_ms: 25 });
    expect(reading!.records_per_second).toBe(0);
    expect(reading!.sent_per_second).toBeCloseTo(2 * reading!.received_per_second, 0);
    expect(reading!.received_per_second).toBeGreaterThan(0);
    expect(reading!.memory_bytes).toBeGreaterThan(1_000_000);
    expect(reading!.cpu).toBeGreaterThanOrEqual(0);
  });

  it('are an hour at most, and those behind a time where that is asked for', () => {
    const node = readingsAt(NOON_MS);
    for (let period = 0; period <= 500; period++) node.takeAt(NOON_MS + period * 10_000);
    const all = node.readings.after(0);
    expect(all).toHaveLength(360);
    expect(Date.parse(all.at(-1)!.timestamp) - NOON_MS).toBe(500 * 10_000);
    expect(node.readings.after(NOON_MS + 498 * 10_000)).toEqual(all.slice(-2));
    expect(node.readings.after(NOON_MS + 500 * 10_000)).toEqual([]);
  });

  it('lose what lies in the future when the clock is set back', () => {
    const node = readingsAt(NOON_MS);
    for (const second of [0, 10, 20, 30, 40]) node.takeAt(NOON_MS + second * 1000);
    node.takeAt(NOON_MS + 21_000);
    expect(times(node)).toEqual(['12:00:10', '12:00:20']);
    node.takeAt(NOON_MS + 31_000);
    expect(times(node)).toEqual(['12:00:10', '12:00:20', '12:00:30']);
  });
});

import { Histogram } from '@ws-gateway/core';
import { describe, expect, it } from '@jest/globals';
import { addSamples, EventLoopLag } from '../src/event-loop-lag.js';
import { SystemStats } from '../src/system-stats.js';

describe('the figures of the process', () => {
  it('count CPU in cores over the time since the reading before', () => {
    let nowMs = 0;
    const stats = new SystemStats(() => nowMs);
    const before = process.cpuUsage();
    while (process.cpuUsage(before).user < 50_000) Math.sqrt(nowMs);
    nowMs = 1_000;
    expect(stats.cpuUsage()).toBeGreaterThan(0.045);
    expect(stats.cpuUsage()).toBeLessThan(1);
    expect(stats.memoryBytes()).toBeGreaterThan(10_000_000);
    expect(stats.activeHandles()).toBeGreaterThanOrEqual(0);
    stats.stop();
  });

  it('count garbage collections', async () => {
    const stats = new SystemStats(() => 0);
    const kept: unknown[] = [];
    for (let i = 0; stats.gcSeconds.count === 0 && i < 2_000; i++) {
      for (let j = 0; j < 1_000; j++) kept[j] = { text: `${i} ${j}`, list: new Array<number>(50).fill(j) };
      await new Promise((go) => setImmediate(go));
    }
    expect(stats.gcSeconds.count).toBeGreaterThan(0);
    expect(stats.gcSeconds.sum).toBeGreaterThan(0);
    stats.stop();
  });

  it('see a blocked event loop, and count each sample once', async () => {
    const lag = new EventLoopLag();
    await new Promise((go) => setTimeout(go, 40));
    const until = performance.now() + 60;
    while (performance.now() < until) Math.sqrt(until);
    await new Promise((go) => setTimeout(go, 20));
    const histogram = lag.read();
    const { bounds, counts, count } = histogram;
    const slow = counts.reduce((sum, n, index) => ((bounds[index - 1] ?? 0) >= 0.025 ? sum + n : sum), 0);
    expect(slow).toBeGreaterThanOrEqual(1);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(count);
    lag.stop();
    expect(lag.read().count).toBe(count);
  });

  it('place samples by a percentile table', () => {
    const histogram = new Histogram([1, 2, 4]);
    addSamples(
      histogram,
      [
        [0, 0.5],
        [50, 0.9],
        [75, 2],
        [90, 3],
        [100, 9],
      ],
      100,
    );
    expect(histogram.counts).toEqual([50, 25, 15, 10]);
    addSamples(
      histogram,
      [
        [0, 9],
        [100, 9],
      ],
      7,
    );
    expect(histogram.counts).toEqual([50, 25, 15, 17]);
    expect(histogram.count).toBe(107);
  });
});

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Histogram, LATENCY_BOUNDS_SECONDS } from '@ws-gateway/core';

const RESOLUTION_MS = 10;

/**
 * Measures how late the event loop serves a timer. Node samples in native code every 10 ms; each reading moves what was
 * sampled since the last one into a histogram that only grows, as Prometheus wants it. The distribution is taken from
 * Node's percentile table (50, 75, 87.5, … 100): it is exact where it matters, at the slow end, and coarse near the
 * median.
 */
export class EventLoopLag {
  readonly #monitor = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #histogram = new Histogram(LATENCY_BOUNDS_SECONDS);

  constructor() {
    this.#monitor.enable();
  }

  read(): Histogram {
    const monitor = this.#monitor;
    const { count } = monitor;
    if (count === 0) return this.#histogram;
    addSamples(
      this.#histogram,
      [...monitor.percentiles].map(([percentile, ns]) => [percentile, lagSeconds(ns)]),
      count,
    );
    this.#histogram.sum += lagSeconds(monitor.mean) * count;
    monitor.reset();
    return this.#histogram;
  }

  stop(): void {
    this.#monitor.disable();
  }
}

/** Takes the interval itself off: samples are times between two ticks. */
function lagSeconds(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3);
}

/** Adds `count` samples. The table says in ascending order how many of them are at or below which value. */
export function addSamples(
  histogram: Histogram,
  table: readonly (readonly [percentile: number, value: number])[],
  count: number,
): void {
  const { bounds, counts } = histogram;
  let below = 0;
  let row = 0;
  for (let bucket = 0; bucket < bounds.length; bucket++) {
    let reached = below;
    for (; row < table.length && table[row]![1] <= bounds[bucket]!; row++)
      reached = Math.max(reached, Math.round((table[row]![0] / 100) * count));
    counts[bucket]! += reached - below;
    below = reached;
  }
  counts[bounds.length]! += count - below;
  histogram.count += count;
}

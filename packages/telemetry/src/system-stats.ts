import { PerformanceObserver } from 'node:perf_hooks';
import { Histogram, LATENCY_BOUNDS_SECONDS } from '@ws-gateway/core';
import { EventLoopLag } from './event-loop-lag.js';
import { Rates } from './rates.js';

/**
 * Figures of the process itself. They are read when scraped, except garbage collections, which Node reports as they
 * happen.
 */
export class SystemStats {
  readonly gcSeconds = new Histogram(LATENCY_BOUNDS_SECONDS);
  readonly #lag = new EventLoopLag();
  readonly #cpuRate: Rates;
  readonly #gcObserver: PerformanceObserver;

  constructor(clock: () => number) {
    this.#cpuRate = new Rates(clock);
    // Only time that is used from now on counts, as for every other rate.
    this.#cpuRate.seed(cpuSeconds());
    this.#gcObserver = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) this.gcSeconds.observe(duration / 1000);
    });
    this.#gcObserver.observe({ entryTypes: ['gc'] });
  }

  /** Returns the cores in use: 1 is one core fully busy. */
  cpuUsage(): number {
    return this.#cpuRate.read(cpuSeconds()).get('cpu') ?? 0;
  }

  memoryBytes(): number {
    return process.memoryUsage.rss();
  }

  activeHandles(): number {
    return process.getActiveResourcesInfo().length;
  }

  eventLoopLag(): Histogram {
    return this.#lag.read();
  }

  stop(): void {
    this.#gcObserver.disconnect();
    this.#lag.stop();
  }
}

function cpuSeconds(): ReadonlyMap<string, number> {
  const { user, system } = process.cpuUsage();
  return new Map([['cpu', (user + system) / 1e6]]);
}

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { totalmem } from 'node:os';
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
  /** Hard limit of descriptors, which Node raises the soft one to; 0 where the system does not say. */
  readonly descriptorsMax = readDescriptorsMax();
  readonly #lag = new EventLoopLag();
  readonly #cpuRate: Rates;
  #memoryBytes = 0;
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

  /** Returns the resident memory. Reading it opens a file: out of descriptors the figure before is still the best. */
  memoryBytes(): number {
    try {
      this.#memoryBytes = process.memoryUsage.rss();
    } catch {
      // See above.
    }
    return this.#memoryBytes;
  }

  /** Returns the limit of the container, or all memory of the machine. */
  memoryLimitBytes(): number {
    const limit = process.constrainedMemory();
    return limit > 0 && limit < totalmem() ? limit : totalmem();
  }

  /** Returns the number of open descriptors; the limit when there is none left to count them with. */
  openDescriptors(): number {
    try {
      // Newer kernels have counted them; a list of very many costs the event loop a pause.
      return statSync('/proc/self/fd').size || readdirSync('/proc/self/fd').length;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EMFILE' ? this.descriptorsMax : 0;
    }
  }

  cpuSeconds(): number {
    return cpuSeconds().get('cpu')!;
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

function readDescriptorsMax(): number {
  try {
    const [, hard = ''] = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return Number(hard);
  } catch {
    return 0;
  }
}

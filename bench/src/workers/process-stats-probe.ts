/**
 * Preloaded into a gateway, this writes every 10 s a line of JSON: its memory, how late its event loop was, and how
 * long its garbage collections took since the last SIGUSR2.
 */
import { appendFileSync } from 'node:fs';
import { constants, monitorEventLoopDelay, PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import type { ProcessStats } from '../lib/process-stats.js';

const INTERVAL_MS = 10_000;
const RESOLUTION_MS = 5;

/** Shape of an entry of type `gc`, which the types lack. */
type Collection = PerformanceEntry & { readonly detail: { readonly kind: number } };

const file = process.env['BENCH_VITALS_FILE'];
// Worker threads and helpers of Node get the same NODE_OPTIONS.
if (file !== undefined) watch(file);

function watch(path: string): void {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  lag.enable();
  let pauseMaxMs = 0;
  let majors = 0;
  new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as Collection[]) {
      pauseMaxMs = Math.max(pauseMaxMs, duration);
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) majors++;
    }
  }).observe({ entryTypes: ['gc'] });
  process.on('SIGUSR2', () => {
    lag.reset();
    pauseMaxMs = 0;
    majors = 0;
  });
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage();
    const processStats: ProcessStats = {
      atMs: performance.now(),
      rss,
      heapUsed,
      lagMs: { p50: late(lag.percentile(50)), p99: late(lag.percentile(99)), max: late(lag.max) },
      gc: { pauseMaxMs, majors },
    };
    appendFileSync(path, `${JSON.stringify(processStats)}\n`);
  }, INTERVAL_MS).unref();
}

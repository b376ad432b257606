import { AggregatorRegistry, type Registry } from 'prom-client';
import { workerRestarts } from './metrics.js';

/** All series of one process, in a form that travels between processes. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

/**
 * Serves the series of a group of processes as if it were one, each merged as its definition says. Counters and
 * histograms of a process that has ended stay in the sums: a sum that falls looks like a restart to Prometheus, which
 * would then count everything again.
 */
export class GroupMetrics {
  readonly #restartsName: string;
  #restarts = 0;
  #ended: Promise<MetricsSnapshot> = Promise.resolve([]);

  constructor(namespace: string) {
    this.#restartsName = `${namespace}_${workerRestarts.name}`;
  }

  countRestart(): void {
    this.#restarts++;
  }

  /** Keeps what a process has counted until its end, as far as it is known. */
  keep(last: MetricsSnapshot): void {
    // Two processes that end together must not overwrite each other's sums, so they are added one after the other.
    this.#ended = this.#ended.then(async (before) => {
      const sums = await merged([before, last]).getMetricsAsJSON();
      return sums.filter(({ type }) => COUNTING.has(String(type)));
    });
  }

  async render(processes: readonly MetricsSnapshot[]): Promise<{ contentType: string; body: string }> {
    const { type, help } = workerRestarts;
    const values = [{ metricName: this.#restartsName, labels: {}, value: this.#restarts }];
    const own = {
      name: this.#restartsName,
      type,
      help,
      aggregator: 'sum',
      values,
    } as unknown as MetricsSnapshot[number];
    const registry = merged([...processes, await this.#ended, [own]]);
    return { contentType: registry.contentType, body: await registry.metrics() };
  }
}

/**
 * Types whose values stay in the sums. prom-client prints a type's name in small letters, while its typings have an
 * enumeration.
 */
const COUNTING = new Set(['counter', 'histogram']);

function merged(snapshots: readonly MetricsSnapshot[]): Registry {
  return AggregatorRegistry.aggregate(snapshots as MetricsSnapshot[]) as Registry;
}

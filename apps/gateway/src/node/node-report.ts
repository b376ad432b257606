import type { Edge, EdgeStats, NodeStatus, RouterStats } from '@ws-gateway/core';
import type { Config } from '../config/config.js';
import { advertisedHost, hostPort } from './listen-host.js';
import { version } from './node-name.js';
import { sum } from './sum.js';

/**
 * Reports that the age of messages is taken over: one a second, and in a single second there may be a handful. They cover a
 * reading's whole period (see NodeReadings), also when a timer was early.
 */
const REPORTS = 11;
const QUANTILE = 0.99;

interface Reported {
  readonly edge: Pick<Edge, 'connectionCount' | 'userCount'> | null;
  readonly stats: { readonly edge: EdgeStats; readonly router: RouterStats };
  readonly port: number;
  readonly stopping: AbortSignal;
}

/** What this node tells the others of itself, each second. */
export class NodeReport {
  readonly #config: Config;
  readonly #reported: Reported;
  /** Messages by age of the last reports, each the sum of all before it. */
  #ages: (readonly number[])[] = [];

  constructor(config: Config, reported: Reported) {
    this.#config = config;
    this.#reported = reported;
  }

  now(): NodeStatus {
    const { edge, stats, port, stopping } = this.#reported;
    const { role, server } = this.#config;
    const lag: Record<string, number> = {};
    const partitions: Record<string, number> = {};
    for (const [topic, records] of stats.router.lag) {
      lag[topic] = sum(records.values());
      if (records.size > 0) partitions[topic] = records.size;
    }
    return {
      role,
      address: hostPort(advertisedHost(server.host), port),
      version,
      sinceMs: Math.round(performance.timeOrigin),
      connections: edge?.connectionCount ?? 0,
      users: edge?.userCount ?? 0,
      draining: stopping.aborted,
      lag,
      partitions,
      deadLetters: sum([...stats.router.deadLetters.values()].flatMap(({ values }) => [...values.values()])),
      ageP99Ms: this.#ageP99Ms(stats.edge),
    };
  }

  #ageP99Ms({ messageAge }: EdgeStats): number | null {
    const histograms = [...messageAge.values()];
    const { bounds } = histograms[0] ?? { bounds: [] };
    const counts = Array.from({ length: bounds.length + 1 }, (_, at) =>
      sum(histograms.map((each) => each.counts[at]!)),
    );
    const before = this.#ages[0];
    this.#ages = [...this.#ages, counts].slice(-REPORTS);
    const fresh = counts.map((count, at) => count - (before?.[at] ?? 0));
    const wanted = sum(fresh) * QUANTILE;
    if (wanted === 0) return null;
    let seen = 0;
    const bucket = fresh.findIndex((count) => (seen += count) >= wanted);
    // What is beyond the last bound is told as that.
    return (bounds[Math.min(bucket, bounds.length - 1)] ?? 0) * 1000;
  }
}

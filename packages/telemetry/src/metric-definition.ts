import type { EdgeStats, EngineStats, RouterStats } from '@ws-gateway/core';
import type { HttpStats } from './http-stats.js';
import type { Rates } from './rates.js';
import type { Reading } from './reading.js';
import type { SystemStats } from './system-stats.js';

/** Sources of the figures. */
export interface MetricSources {
  readonly edge: EdgeStats;
  readonly router: RouterStats;
  readonly engine: EngineStats;
  readonly http: HttpStats;
  readonly system: SystemStats;
  /** Rate of records that were taken, per second and topic. */
  readonly processed: Rates;
  readonly readiness: () => Readonly<Record<string, boolean>>;
  readonly loki?: LokiCounts | null;
  readonly spans?: SpanCounts | null;
  readonly info: Readonly<Record<string, string>>;
}

/** Number of log lines by their fate. */
export interface LokiCounts {
  readonly pushed: number;
  readonly dropped: number;
}

/** Number of spans by their fate. */
export interface SpanCounts {
  readonly sent: number;
  readonly dropped: number;
}

/**
 * One metric. A new one is a new entry of a table in metrics.ts or backend-metrics.ts, over a count in the stats;
 * docs/metrics.md follows from it (`npm run docs`).
 */
export interface MetricDefinition {
  /** Name without the namespace. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Names of the labels, one for each level of maps in what is read. */
  readonly labels: readonly string[];
  /** Text that says when it moves, and what a lasting value means. */
  readonly help: string;
  /** How the values of several processes become one; default `sum`. */
  readonly aggregator?: 'sum' | 'max' | 'min' | 'first';
  /** True: one series for each user, only with `metrics.perUser`. */
  readonly perUser?: true;
  /** True: a name that all programs share, without the namespace. */
  readonly shared?: true;
  readonly read: (sources: MetricSources) => Reading;
}

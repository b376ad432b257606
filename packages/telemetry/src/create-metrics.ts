import type { EdgeStats, EngineStats, RouterStats } from '@ws-gateway/core';
import { Registry, type Metric } from 'prom-client';
import type { MetricsSnapshot } from './group-metrics.js';
import { HttpStats } from './http-stats.js';
import type { LokiCounts, SpanCounts, MetricDefinition, MetricSources } from './metric-definition.js';
import { metricDefinitions } from './metrics.js';
import { Rates } from './rates.js';
import { samplesOf } from './reading.js';
import { SystemStats } from './system-stats.js';

export interface MetricsOptions {
  /** Prefix of every name, such as `ws_gateway`. */
  readonly namespace: string;
  /** True: count by user, too. That is one series for each user, so the operator has to ask for it. */
  readonly perUser: boolean;
  /** Clock in ms that only grows. */
  readonly clock?: () => number;
}

export interface MetricsInput {
  readonly edge: EdgeStats;
  readonly router: RouterStats;
  readonly engine: EngineStats;
  /** For each part of the node, whether it is as /ready wants it. */
  readonly readiness: () => Readonly<Record<string, boolean>>;
  /** Counts of lines for Loki; null: lines are not pushed to Loki. */
  readonly loki?: LokiCounts | null;
  /** Counts of spans; null: no spans are sent. */
  readonly spans?: SpanCounts | null;
  /** Labels of `build_info`: version, node, role. */
  readonly info: Readonly<Record<string, string>>;
}

export interface Metrics {
  /** Counts a request. `path` is the route, not the URL, because it becomes a label. */
  observeRequest(method: string, path: string, status: number, seconds: number): void;
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
  /** Returns all series for GroupMetrics, which merges the processes of a group. */
  snapshot(): Promise<MetricsSnapshot>;
  stop(): void;
}

/**
 * Makes all series of docs/metrics.md from core's plain stats. Nothing is counted twice: a value is read at the moment
 * of the scrape, so counting costs the hot path an addition and nothing else.
 */
export function createMetrics(options: MetricsOptions, input: MetricsInput): Metrics {
  const clock = options.clock ?? (() => performance.now());
  const http = new HttpStats();
  const system = new SystemStats(clock);
  const sources: MetricSources = { ...input, http, system, processed: new Rates(clock) };
  const registry = new Registry();
  for (const definition of metricDefinitions)
    if (definition.perUser !== true || options.perUser)
      registry.registerMetric(statsMetric(metricName(options.namespace, definition), definition, sources));
  return {
    observeRequest: (method, path, status, seconds) => http.observe(method, path, status, seconds),
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
    snapshot: () => registry.getMetricsAsJSON(),
    stop: () => system.stop(),
  };
}

export function metricName(namespace: string, { name, shared }: MetricDefinition): string {
  return shared === true ? name : `${namespace}_${name}`;
}

/**
 * Makes a metric that reads the stats. prom-client's own counters and histograms cannot be set to a value, but its
 * registry asks a metric for nothing beyond `name` and `get()` (it registers such objects itself when it merges
 * processes), so this is one.
 */
function statsMetric(name: string, definition: MetricDefinition, sources: MetricSources): Metric {
  const { type, help, labels, aggregator = 'sum' } = definition;
  const metric = {
    name,
    get: () =>
      Promise.resolve({ name, help, type, aggregator, values: samplesOf(name, labels, definition.read(sources)) }),
  };
  return metric as unknown as Metric;
}

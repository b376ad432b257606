import { Histogram, LabelCounter, LATENCY_BOUNDS_SECONDS } from '@ws-gateway/core';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/**
 * Number of paths that become labels: more than the gateway has routes. Callers pass routes, not URLs; should one ever
 * pass a URL, it counts as `other`.
 */
const PATHS_MAX = 64;
const OTHER = 'other';

/** Plain counters of the HTTP side, like core's stats. */
export class HttpStats {
  readonly requests = new Map<string, LabelCounter>();
  readonly statusCodes = new LabelCounter();
  readonly durations = new Map<string, Histogram>();

  observe(method: string, path: string, status: number, seconds: number): void {
    const shownMethod = METHODS.has(method) ? method : OTHER;
    let paths = this.requests.get(shownMethod);
    if (paths === undefined) this.requests.set(shownMethod, (paths = new LabelCounter(PATHS_MAX)));
    const duration = this.#durationOf(path);
    paths.add(path);
    this.statusCodes.add(String(status));
    duration.observe(seconds);
  }

  #durationOf(path: string): Histogram {
    const shownPath = this.durations.has(path) || this.durations.size < PATHS_MAX ? path : OTHER;
    let histogram = this.durations.get(shownPath);
    if (histogram === undefined) this.durations.set(shownPath, (histogram = new Histogram(LATENCY_BOUNDS_SECONDS)));
    return histogram;
  }
}

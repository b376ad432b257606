/** One reading of GET /api/nodes/{node}/readings. */
export interface Reading {
  readonly timestamp: string;
  readonly connections: number;
  readonly slow: number;
  readonly records_per_second: number;
  readonly sent_per_second: number;
  readonly received_per_second: number;
  readonly age_p99_ms: number | null;
  readonly lag: number;
  readonly dead_letters: number;
  readonly memory_bytes: number;
  readonly cpu: number;
}

export type Measure = Exclude<keyof Reading, 'timestamp'>;

/** How the values of several nodes become one. */
export type Together = 'sum' | 'max';

/** Values of one measure, by the number of their period; null, or no value: nothing was measured. */
export type Series = ReadonlyMap<number, number | null>;

/** Time in ms of one period; all nodes begin theirs at the same times. */
export const PERIOD_MS = 10_000;
/** Periods of an hour. */
const PERIODS = 360;
/** Periods for which a node that has not told yet is waited for. */
const LATE_PERIODS = 2;

/** Readings of all nodes that were there since the page was opened, and for the last hour. */
export class ClusterHistory {
  readonly #nodes = new Map<string, Map<number, Reading>>();

  /** Names of all nodes there is something of. */
  get nodes(): readonly string[] {
    return [...this.#nodes.keys()].sort();
  }

  add(node: string, readings: readonly Reading[]): void {
    const own = this.#nodes.get(node) ?? new Map<number, Reading>();
    if (readings.length > 0) this.#nodes.set(node, own);
    for (const reading of readings) own.set(periodAt(Date.parse(reading.timestamp)), reading);
    this.#forget();
  }

  /** Time of the last reading of the node; null: there is none. */
  lastOf(node: string): string | null {
    const own = this.#nodes.get(node);
    return own === undefined ? null : (own.get(Math.max(...own.keys()))?.timestamp ?? null);
  }

  /** The periods that can be told; null: none yet. `living` are the nodes that will go on telling. */
  range(living: readonly string[]): { readonly first: number; readonly last: number } | null {
    const newest = this.#newest();
    if (newest === null) return null;
    // A sum without the nodes that are a moment late would look like a loss.
    const told = living.flatMap((node) => {
      const own = this.#nodes.get(node);
      return own === undefined ? [] : [Math.max(...own.keys())];
    });
    const last = Math.max(newest - LATE_PERIODS, Math.min(newest, ...told));
    const oldest = Math.min(...[...this.#nodes.values()].flatMap((own) => [...own.keys()]));
    return { first: Math.max(oldest, last - PERIODS + 1), last };
  }

  /** `node` null: all of them together. */
  series(measure: Measure, node: string | null, together: Together): Series {
    const series = new Map<number, number | null>();
    const wanted = node === null ? [...this.#nodes.values()] : [this.#nodes.get(node) ?? new Map<number, Reading>()];
    for (const own of wanted) {
      for (const [period, reading] of own) {
        const [before = null, value] = [series.get(period), reading[measure]];
        if (value === null || before === null) series.set(period, value ?? before);
        else series.set(period, together === 'sum' ? before + value : Math.max(before, value));
      }
    }
    return series;
  }

  clear(): void {
    this.#nodes.clear();
  }

  #newest(): number | null {
    const periods = [...this.#nodes.values()].map((own) => Math.max(...own.keys()));
    return periods.length === 0 ? null : Math.max(...periods);
  }

  /** A page that stays open for a week must not grow. */
  #forget(): void {
    const oldest = (this.#newest() ?? 0) - PERIODS - LATE_PERIODS;
    for (const [node, own] of this.#nodes) {
      for (const period of own.keys()) if (period < oldest) own.delete(period);
      if (own.size === 0) this.#nodes.delete(node);
    }
  }
}

/** The period that ends nearest to a time in ms since the epoch. */
export function periodAt(ms: number): number {
  return Math.round(ms / PERIOD_MS);
}

/** The time that a period ended at, in ms since the epoch. */
export function endOf(period: number): number {
  return period * PERIOD_MS;
}

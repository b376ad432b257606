/** Reads the part of Prometheus' text format that the charts need: sums over all labels, and histograms. */
export class Exposition {
  readonly #sums = new Map<string, number>();
  /** Counts by name without `_bucket`, then by upper bound. */
  readonly #buckets = new Map<string, Map<number, number>>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = SAMPLE.exec(line) ?? [];
      if (name === undefined) continue;
      const number = Number(value);
      const le = name.endsWith('_bucket') ? LE.exec(labels)?.[1] : undefined;
      if (le === undefined) add(this.#sums, name, number);
      else this.#addBucket(name.slice(0, -'_bucket'.length), le === '+Inf' ? Infinity : Number(le), number);
    }
  }

  /** Sum of a series; 0 when there is no such series (yet). */
  sum(name: string): number {
    return this.#sums.get(name) ?? 0;
  }

  /** Cumulative counts by upper bound, ascending. */
  buckets(name: string): ReadonlyMap<number, number> {
    return new Map([...(this.#buckets.get(name) ?? [])].sort(([a], [b]) => a - b));
  }

  #addBucket(name: string, le: number, count: number): void {
    const buckets = this.#buckets.get(name) ?? new Map<number, number>();
    this.#buckets.set(name, buckets);
    add(buckets, le, count);
  }
}

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LE = /(?:^|,)le="([^"]+)"/;

function add<Key>(map: Map<Key, number>, key: Key, value: number): void {
  map.set(key, (map.get(key) ?? 0) + value);
}

/**
 * Computes a quantile; null: nothing was counted. It draws straight lines between the bounds, as Prometheus'
 * histogram_quantile does.
 */
export function quantile(share: number, buckets: ReadonlyMap<number, number>): number | null {
  const total = buckets.get(Infinity) ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  let [lowBound, lowCount] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank) {
      if (bound === Infinity) return lowBound;
      return lowBound + ((bound - lowBound) * (rank - lowCount)) / (count - lowCount);
    }
    [lowBound, lowCount] = [bound, count];
  }
  return lowBound;
}

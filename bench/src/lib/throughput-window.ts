import type { Arrivals } from '@ws-gateway/load-generator';

export interface ThroughputWindow {
  readonly records: number;
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly perSecond: number;
}

/** Returns the time from the frame that arrived behind `skipped` others to the last one. */
export function throughputWindow({ times }: Arrivals, skipped: number): ThroughputWindow {
  const sorted = times.filter((time) => time !== 0).sort();
  const [fromMicros, toMicros] = [sorted[skipped] ?? NaN, sorted.at(-1) ?? NaN];
  const records = sorted.length - skipped;
  return { records, fromMicros, toMicros, perSecond: (records * 1e6) / (toMicros - fromMicros) };
}

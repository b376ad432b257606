import type { Arrivals } from './arrival-log.js';

export interface Verdict {
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
  readonly outOfOrder: number;
  readonly misdelivered: number;
}

/** Compares what arrived with the first `produced` records, all of which should have arrived. */
export function verify(arrivals: Arrivals, produced: number): Verdict {
  const { times, received, duplicates, outOfOrder, misdelivered } = arrivals;
  let lost = 0;
  for (let n = 0; n < produced; n++) if (times[n] === 0) lost++;
  return { received, lost, duplicates, outOfOrder, misdelivered };
}

export function isFaultless(verdict: Verdict): boolean {
  return verdict.lost + verdict.duplicates + verdict.outOfOrder + verdict.misdelivered === 0;
}

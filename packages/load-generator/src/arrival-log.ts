import type { LoadShape } from './load-record.js';

export interface Arrivals {
  /** By record number, in microseconds of `nowMicros`; 0: not arrived. */
  readonly times: Float64Array;
  readonly received: number;
  readonly duplicates: number;
  /** Behind a later record of the same user. */
  readonly outOfOrder: number;
  /** At a user whose record it is not, or of a number that no record has. */
  readonly misdelivered: number;
}

/** What arrived when, and what should not have arrived, or not then. */
export class ArrivalLog {
  readonly #shape: LoadShape;
  readonly #times: Float64Array;
  readonly #newestOfUser: Int32Array;
  #received = 0;
  #duplicates = 0;
  #outOfOrder = 0;
  #misdelivered = 0;

  constructor(shape: LoadShape) {
    this.#shape = shape;
    this.#times = new Float64Array(shape.records);
    this.#newestOfUser = new Int32Array(shape.users).fill(-1);
  }

  get received(): number {
    return this.#received;
  }

  /** Different records that came to whom they are for. */
  get arrived(): number {
    return this.#received - this.#duplicates - this.#misdelivered;
  }

  add(n: number, user: number, atMicros: number): void {
    this.#received++;
    if (n >= this.#shape.records || n % this.#shape.users !== user) {
      this.#misdelivered++;
    } else if (this.#times[n] !== 0) {
      this.#duplicates++;
    } else {
      this.#times[n] = atMicros;
      if (n < this.#newestOfUser[user]!) this.#outOfOrder++;
      else this.#newestOfUser[user] = n;
    }
  }

  arrivals(): Arrivals {
    return {
      times: this.#times,
      received: this.#received,
      duplicates: this.#duplicates,
      outOfOrder: this.#outOfOrder,
      misdelivered: this.#misdelivered,
    };
  }
}

/** Of receivers that had different users. */
export function mergeArrivals(parts: readonly Arrivals[]): Arrivals {
  const sum = (of: (part: Arrivals) => number): number => parts.reduce((total, part) => total + of(part), 0);
  const times = new Float64Array(parts[0]?.times.length ?? 0);
  for (const part of parts) {
    for (const [n, time] of part.times.entries()) if (time !== 0) times[n] = time;
  }
  return {
    times,
    received: sum((part) => part.received),
    duplicates: sum((part) => part.duplicates),
    outOfOrder: sum((part) => part.outOfOrder),
    misdelivered: sum((part) => part.misdelivered),
  };
}

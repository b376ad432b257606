import type { LoadShape } from './load-record.js';

export interface Arrivals {
  /** Time by record number, in µs of `nowMicros`; 0: not arrived. */
  readonly times: Float64Array;
  readonly received: number;
  readonly duplicates: number;
  /** Number of records that came behind a later record of the same user. */
  readonly outOfOrder: number;
  /** Number of records at a user to whom they do not belong, or of a number that no record has. */
  readonly misdelivered: number;
}

/** Keeps what arrived when, and what should not have arrived, or not then. */
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

  /** Number of different records that came to the user they are for. */
  get arrived(): number {
    return this.#received - this.#duplicates - this.#misdelivered;
  }

  /** `socket` is the first user whose records it gets. */
  add(n: number, socket: number, atMicros: number): void {
    const { records, users, perSocket = 1 } = this.#shape;
    const user = n % users;
    this.#received++;
    if (n >= records || user < socket || user >= socket + perSocket) {
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

/** Merges the arrivals of receivers that had different users. */
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

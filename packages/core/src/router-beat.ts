import type { ShownLease } from './lease-observer.js';

/** A router's sign of life. */
export interface RouterBeat {
  /** See RecordSource.member. Without white space. */
  readonly member: string | null;
  /** Time in ms that the router may be silent. */
  readonly leaseMs: number;
}

/** A sign of life as it was read: `score` is another text after each beat. */
export type ShownBeat = RouterBeat & ShownLease;

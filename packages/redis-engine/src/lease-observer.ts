/** A lease as one refresh of our own showed it. */
export interface ShownLease {
  readonly node: string;
  /** Redis' text for the end of the lease: another one after each refresh. */
  readonly score: string;
}

/** Number of refreshes between two looks that count at most: a node cannot refresh more often than that. */
const REFRESHES_PER_LOOK = 2;

/**
 * Says which nodes are dead, by this process' own monotonic clock. A node is dead when its lease has not moved for a
 * lease time of looks that all succeeded. Each look is a write of our own that Redis took, so a Redis that stood still,
 * refused writes or stepped its clock is nobody's death: none of the others could have shown a sign of life either.
 */
export class LeaseObserver {
  readonly #leaseMs: number;
  readonly #lookMsMax: number;
  #seen = new Map<string, { readonly score: string; readonly unmovedMs: number }>();
  #lookedMs = Infinity;

  constructor({ leaseMs, refreshMs }: { leaseMs: number; refreshMs: number }) {
    this.#leaseMs = leaseMs;
    this.#lookMsMax = REFRESHES_PER_LOOK * refreshMs;
  }

  /** Leases that were refreshed longest ago; those not among them live. Returns the one that is dead, null for none. */
  look(leases: readonly ShownLease[], nowMs: number): ShownLease | null {
    const passedMs = Math.max(0, Math.min(nowMs - this.#lookedMs, this.#lookMsMax));
    this.#lookedMs = nowMs;
    const seen = new Map<string, { score: string; unmovedMs: number }>();
    for (const { node, score } of leases) {
      const before = this.#seen.get(node);
      const unmovedMs = before?.score === score ? before.unmovedMs + passedMs : 0;
      seen.set(node, { score, unmovedMs });
    }
    this.#seen = seen;
    return leases.find(({ node }) => seen.get(node)!.unmovedMs >= this.#leaseMs) ?? null;
  }

  /** A write of our own failed, or may have: what was seen before says nothing any more. */
  interrupt(): void {
    this.#seen.clear();
    this.#lookedMs = Infinity;
  }
}

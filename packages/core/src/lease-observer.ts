/** A lease as one look showed it. */
export interface ShownLease {
  readonly node: string;
  /** Text that is another one after each refresh. */
  readonly score: string;
  /** Time in ms that this one may rest; default: what the observer allows all. */
  readonly leaseMs?: number;
}

/** What the looks at a lease have shown: its score, and the time in ms of looks for which that has rested. */
export interface Life {
  readonly score: string;
  readonly unmovedMs: number;
}

/**
 * Says which nodes are dead, by this process' own monotonic clock. A node is dead when its lease has not moved for a
 * lease time of looks that all succeeded. Each look is a write of our own that the store took, so a store that stood still,
 * refused writes or stepped its clock is nobody's death: none of the others could have shown a sign of life either.
 */
export class LeaseObserver {
  readonly #leaseMs: number;
  readonly #lookMsMax: number;
  #seen = new Map<string, Life>();
  #lookedMs = Infinity;

  /** `lookMsMax`: what the time between two looks counts at most, however long it was. */
  constructor({ leaseMs, lookMsMax }: { leaseMs: number; lookMsMax: number }) {
    this.#leaseMs = leaseMs;
    this.#lookMsMax = lookMsMax;
  }

  /** Leases that were refreshed longest ago; those not among them live. Returns those that are dead. */
  look<Lease extends ShownLease>(leases: readonly Lease[], nowMs: number): readonly Lease[] {
    const passedMs = Math.max(0, Math.min(nowMs - this.#lookedMs, this.#lookMsMax));
    this.#lookedMs = nowMs;
    const seen = new Map<string, Life>();
    for (const { node, score } of leases) {
      const before = this.#seen.get(node);
      const unmovedMs = before?.score === score ? before.unmovedMs + passedMs : 0;
      seen.set(node, { score, unmovedMs });
    }
    this.#seen = seen;
    return leases.filter(({ node, leaseMs = this.#leaseMs }) => seen.get(node)!.unmovedMs >= leaseMs);
  }

  /** Null: the last look did not show it. */
  lifeOf(node: string): Life | null {
    return this.#seen.get(node) ?? null;
  }

  /** A write of our own failed, or may have: what was seen before says nothing any more. */
  interrupt(): void {
    this.#seen.clear();
    this.#lookedMs = Infinity;
  }
}

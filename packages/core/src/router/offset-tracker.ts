/**
 * Knows up to where a partition may be committed: an offset moves only over a contiguous run of settled records, counted
 * in what was tracked, since Kafka's own offsets have gaps (compaction, transaction markers). Pure.
 */
export class OffsetTracker {
  /** In the order tracked; entries before `#head` are settled and done with. */
  #runs: { readonly lastOffset: number; settled: boolean }[] = [];
  #head = 0;
  #position: number | null = null;

  /** A run of records that ends with this offset is being worked on. Offsets must ascend. */
  track(lastOffset: number): void {
    const newest = this.#runs.at(-1);
    if (newest !== undefined && lastOffset <= newest.lastOffset) {
      throw new RangeError(`offset ${lastOffset} was tracked after ${newest.lastOffset}`);
    }
    this.#runs.push({ lastOffset, settled: false });
  }

  /** The run that ends with this offset is done with, in whatever order. */
  settle(lastOffset: number): void {
    for (let at = this.#head; at < this.#runs.length; at++) {
      if (this.#runs[at]!.lastOffset !== lastOffset) continue;
      this.#runs[at]!.settled = true;
      break;
    }
    while (this.#runs[this.#head]?.settled === true) {
      this.#position = this.#runs[this.#head]!.lastOffset + 1;
      this.#head++;
    }
    // The newest one stays: `track` compares with it.
    if (this.#head > 64 && this.#head * 2 > this.#runs.length) {
      this.#runs = this.#runs.slice(this.#head - 1);
      this.#head = 1;
    }
  }

  /** The next offset to read, as Kafka commits it; null while nothing is settled. */
  get position(): number | null {
    return this.#position;
  }

  /** Runs tracked that don't count as settled yet, be it because one before them isn't. */
  get pending(): number {
    return this.#runs.length - this.#head;
  }
}

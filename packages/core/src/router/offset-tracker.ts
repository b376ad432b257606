/**
 * Knows up to which offset a partition may be committed. An offset moves only over a contiguous run of settled records,
 * counted in what was tracked, because Kafka's own offsets have gaps (compaction, transaction markers). It does no I/O.
 */
export class OffsetTracker {
  /** Runs in the order tracked; entries before `#head` are settled and done with. */
  #runs: { readonly lastOffset: number; settled: boolean }[] = [];
  #head = 0;
  #position: number | null = null;

  /** Notes that a run of records which ends with this offset is being worked on. Offsets must ascend. */
  track(lastOffset: number): void {
    const newest = this.#runs.at(-1);
    if (newest !== undefined && lastOffset <= newest.lastOffset) {
      throw new RangeError(`offset ${lastOffset} was tracked after ${newest.lastOffset}`);
    }
    this.#runs.push({ lastOffset, settled: false });
  }

  /** Notes that the run which ends with this offset is done with, in whatever order. */
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

  /** Next offset to read, as Kafka commits it; null while nothing is settled. */
  get position(): number | null {
    return this.#position;
  }

  /** Number of tracked runs that do not count as settled yet, be it because one before them is not. */
  get pending(): number {
    return this.#runs.length - this.#head;
  }
}

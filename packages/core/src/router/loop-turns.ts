/**
 * Gives lanes their turns at the processor. In a turn of the event loop all lanes together do as much as a full chunk,
 * first come first served. Between two full chunks the loop gets to its sockets, so a burst from Kafka starves no
 * socket and no other lane. Small chunks share a turn: while a stream with many subscribers is served a turn takes 10
 * ms, and six lanes with a few records each would wait for six of them.
 */
export class LoopTurns {
  readonly #waiting: Waiting[] = [];
  #scheduled = false;

  /** Resolves when the turn has come. `share` says how much of a full chunk the work will be; it is asked then. */
  async next(share: () => number): Promise<void> {
    await new Promise<void>((begin) => {
      this.#waiting.push({ share, begin });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#runTurn();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }

  /**
   * Begins as much as fits. The work runs in the microtasks behind this callback, before the next turn. The first one
   * always begins.
   */
  #runTurn(): void {
    let left = 1;
    let count = 0;
    for (const { share, begin } of this.#waiting) {
      left -= share();
      if (left < 0 && count > 0) break;
      begin();
      count++;
    }
    this.#waiting.splice(0, count);
  }
}

interface Waiting {
  readonly share: () => number;
  readonly begin: () => void;
}

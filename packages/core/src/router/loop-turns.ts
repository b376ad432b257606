/**
 * Gives lanes their turns at the processor: one chunk a turn of the event loop, over all lanes together, first come first
 * served. Between two chunks the loop gets to its sockets, so a burst from Kafka starves nobody, and no lane another.
 */
export class LoopTurns {
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  async next(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      // What waits on the turn runs in the microtasks behind this callback: before the next turn.
      this.#waiting.shift()!();
      if (this.#waiting.length > 0) this.#schedule();
    });
  }
}

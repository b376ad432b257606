/**
 * An upgrade is the dearest task, about 0.1 ms; so a burst of admissions keeps the event loop for a few milliseconds and
 * then lets the sockets have their turn.
 */
const TASKS_PER_TURN = 64;

/**
 * Runs tasks in order, soon, and outside of every uWebSockets.js callback.
 *
 * Everything that answers or upgrades a request goes through here, for a reason that is easily missed: the continuation
 * of an awaited promise may well run *inside* the HTTP parser, because Node runs microtasks when the callback for some
 * other request returns. An upgrade there is taken for the upgrade of that other request; uWebSockets.js 20.51.4 then
 * loses its cork and aborts the process ("Cork buffer must not be held across event loop iterations").
 */
export class DeferredTasks {
  readonly #onError: (error: unknown) => void;
  #queue: (() => void)[] = [];
  #scheduled = false;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Some wait for their turn. */
  get areWaiting(): boolean {
    return this.#queue.length > 0;
  }

  add(task: () => void): void {
    this.#queue.push(task);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#runTurn());
  }

  #runTurn(): void {
    this.#scheduled = false;
    const turn = this.#queue;
    this.#queue = turn.length > TASKS_PER_TURN ? turn.splice(TASKS_PER_TURN) : [];
    if (this.#queue.length > 0) this.#schedule();
    for (const task of turn) {
      try {
        task();
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}

import { endByDefect } from '@ws-gateway/core';

/**
 * Number of actions that are carried out together: they share one round trip, and a close among them waits for no more
 * than these.
 */
const ACTIONS_PER_CALL = 128;

/**
 * Bytes of waiting actions from which on reading stops, until half of them is done: the backend feels it, and memory
 * does not.
 */
const WAITING_BYTES_MAX = 1024 * 1024;
const WAITING_ACTIONS_MAX = 1024;

interface ActionQueueParts {
  /** Performs actions; never rejects. */
  readonly perform: (actions: readonly string[]) => Promise<void>;
  /** Called when there is room again. */
  readonly onRoom: () => void;
}

/**
 * Carries out what one backend asks for, in order: one call at a time, and what comes meanwhile goes together in the
 * next.
 */
export class ActionQueue {
  readonly #parts: ActionQueueParts;
  #waiting: string[] = [];
  #bytes = 0;
  #running = false;
  #full = false;

  constructor(parts: ActionQueueParts) {
    this.#parts = parts;
  }

  /** True: no more should be pushed until `onRoom`. */
  get full(): boolean {
    return this.#full;
  }

  push(action: string): void {
    this.#waiting.push(action);
    this.#bytes += action.length;
    if (this.#bytes > WAITING_BYTES_MAX || this.#waiting.length > WAITING_ACTIONS_MAX) this.#full = true;
    if (!this.#running) this.#run().catch(endByDefect);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#waiting.length > 0) {
      const actions = this.#waiting.splice(0, ACTIONS_PER_CALL);
      for (const action of actions) this.#bytes -= action.length;
      await this.#parts.perform(actions);
      if (this.#full && this.#bytes <= WAITING_BYTES_MAX / 2 && this.#waiting.length <= WAITING_ACTIONS_MAX / 2) {
        this.#full = false;
        this.#parts.onRoom();
      }
    }
    this.#running = false;
  }
}

import type { Expiring } from '../deadlines.js';
import type { Admission, Attempt } from '../transport.js';

interface WaitingStreamCalls {
  /** Refuses a client whose time is over. */
  tooSlow(): Admission;
  /** Takes back an admission that came too late. */
  undo(late: Admission & { readonly admitted: true }): void;
}

/** A request for events that the edge is thinking about: it is answered once, by what comes first. */
export class WaitingStream implements Attempt, Expiring {
  readonly #signal: AbortSignal;
  readonly #calls: WaitingStreamCalls;
  readonly #answer = Promise.withResolvers<Admission>();
  #isExpired = false;

  /** `signal`: the client has gone away. */
  constructor(signal: AbortSignal, calls: WaitingStreamCalls) {
    this.#signal = signal;
    this.#calls = calls;
  }

  get aborted(): boolean {
    return this.#isExpired || this.#signal.aborted;
  }

  get admission(): Promise<Admission> {
    return this.#answer.promise;
  }

  expire(): void {
    // Whoever has gone away is not refused.
    if (this.#signal.aborted) return;
    this.#isExpired = true;
    this.#answer.resolve(this.#calls.tooSlow());
  }

  decided(admission: Admission): void {
    if (!this.#isExpired) this.#answer.resolve(admission);
    else if (admission.admitted) this.#calls.undo(admission);
  }
}

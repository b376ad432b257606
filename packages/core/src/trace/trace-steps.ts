import type { TraceSink } from './tracer.js';
import type { TraceStep, TraceSubject } from './trace-command.js';

/** Steps of one trace that wait on a node to be sent. */
const STEPS_MAX = 1000;

/** What was taken to be sent. */
export interface TakenSteps {
  readonly steps: readonly TraceStep[];
  readonly lost: number;
}

/** What one node has seen of a trace and not sent yet: bounded, with the number of what it could not keep. */
export class TraceSteps implements TraceSink {
  readonly subject: TraceSubject;
  #steps: TraceStep[] = [];
  #lost = 0;

  constructor(subject: TraceSubject) {
    this.subject = subject;
  }

  add(step: TraceStep): void {
    if (this.#steps.length < STEPS_MAX) this.#steps.push(step);
    else this.#lost++;
  }

  /** null: there is nothing to send. */
  take(): TakenSteps | null {
    if (this.#steps.length === 0 && this.#lost === 0) return null;
    const taken = { steps: this.#steps, lost: this.#lost };
    this.#steps = [];
    this.#lost = 0;
    return taken;
  }

  /** They could not be sent. */
  lose({ steps, lost }: TakenSteps): void {
    this.#lost += steps.length + lost;
  }
}

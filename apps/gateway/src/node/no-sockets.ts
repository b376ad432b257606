import type { Admission, ClusterSurvey, EdgeHandler, Inbox, NodeCommand, Reception } from '@ws-gateway/core';

const REFUSAL = {
  status: 404,
  code: 'unknown_endpoint',
  message: 'this node routes records; it accepts no sockets',
};

/** The socket side of a node that has the router's role only: it accepts nobody, and nothing is routed to it. */
export class NoSockets implements EdgeHandler, Inbox {
  readonly survey: ClusterSurvey;
  readonly #onDrain: () => void;

  /** `survey` is asked for what this node wants to know; `onDrain` is called when the node shall go away. */
  constructor(survey: ClusterSurvey, onDrain: () => void) {
    this.survey = survey;
    this.#onDrain = onDrain;
  }

  receive(): Reception {
    return { received: false, refusal: REFUSAL };
  }

  admit(): Promise<Admission> {
    return Promise.resolve({ admitted: false, refusal: REFUSAL });
  }

  refused(): void {}

  confirm(): null {
    return null;
  }

  opened(): void {}
  message(): void {}
  drained(): void {}
  closed(): void {}
  deliver(): void {}
  broadcast(): void {}
  endBatch(): void {}

  rebuild(): Promise<void> {
    return Promise.resolve();
  }

  holds(): boolean {
    return false;
  }

  command(command: NodeCommand): void {
    if (command.command === 'drain') this.#onDrain();
    else if (command.command === 'ask' || command.command === 'report') this.survey.take(command);
  }
}

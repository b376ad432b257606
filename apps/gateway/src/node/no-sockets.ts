import type { Admission, ClusterSurvey, EdgeHandler, Inbox, NodeCommand, Reception, Traces } from '@ws-gateway/core';

const REFUSAL = {
  status: 404,
  code: 'unknown_endpoint',
  message: 'this node routes records; it accepts no sockets',
};

interface NoSocketsDeps {
  readonly survey: ClusterSurvey;
  readonly traces: Pick<Traces, 'take'>;
}

/** The socket side of a node that has the router's role only: it accepts nobody, and nothing is routed to it. */
export class NoSockets implements EdgeHandler, Inbox {
  readonly survey: ClusterSurvey;
  readonly #traces: Pick<Traces, 'take'>;
  readonly #onDrain: () => void;

  /** `survey` is asked for what this node wants to know; `onDrain` is called when the node shall go away. */
  constructor({ survey, traces }: NoSocketsDeps, onDrain: () => void) {
    this.survey = survey;
    this.#traces = traces;
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
    switch (command.command) {
      case 'drain':
        this.#onDrain();
        break;
      case 'ask':
      case 'report':
        this.survey.take(command);
        break;
      case 'trace':
      case 'untrace':
      case 'traced':
        this.#traces.take(command);
        break;
      default:
      // The others are about sockets.
    }
  }
}

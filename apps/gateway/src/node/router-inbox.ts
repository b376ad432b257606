import type { ClusterSurvey, Inbox, NodeCommand, Traces } from '@ws-gateway/core';

interface RouterInboxDeps {
  readonly survey: ClusterSurvey;
  readonly traces: Pick<Traces, 'take'>;
}

/** The inbox of a node that has the router's role only: it has no sockets, so no message is for it. */
export class RouterInbox implements Inbox {
  readonly survey: ClusterSurvey;
  readonly #traces: Pick<Traces, 'take'>;
  readonly #onDrain: () => void;

  /** `survey` is asked for what this node wants to know; `onDrain` is called when the node shall go away. */
  constructor({ survey, traces }: RouterInboxDeps, onDrain: () => void) {
    this.survey = survey;
    this.#traces = traces;
    this.#onDrain = onDrain;
  }

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

import type { Admission, Census, EdgeHandler, Inbox, NodeCommand } from '@ws-gateway/core';

/** The socket side of a node that has the router's role only: it accepts nobody, and nothing is routed to it. */
export class NoSockets implements EdgeHandler, Inbox {
  readonly census: Census;
  readonly #onDrain: () => void;

  /** `census` is asked for what this node wants to know; `onDrain` is called when the node shall go away. */
  constructor(census: Census, onDrain: () => void) {
    this.census = census;
    this.#onDrain = onDrain;
  }

  admit(): Promise<Admission> {
    const refusal = {
      status: 404,
      code: 'unknown_endpoint',
      message: 'this node routes records; it accepts no sockets',
    };
    return Promise.resolve({ admitted: false, refusal });
  }

  opened(): void {}
  message(): void {}
  drained(): void {}
  closed(): void {}
  deliver(): void {}
  broadcast(): void {}
  endBatch(): void {}
  resync(): void {}
  rebuild(): void {}

  command(command: NodeCommand): void {
    if (command.command === 'drain') this.#onDrain();
    else if (command.command === 'ask' || command.command === 'report') this.census.take(command);
  }
}

import type { Inbox, StreamMessage } from '../inbox.js';
import type { NodeCommand } from '../node-commands.js';

type Delivery = StreamMessage | { readonly broadcast: Uint8Array } | { readonly command: NodeCommand };

/**
 * Hands batches to the inbox in order, in a later turn of the loop: a publisher must never find itself called back, and
 * what one turn publishes is flushed to the sockets together.
 */
export class DeliveryQueue {
  #inbox: Inbox | null;
  #batches: Delivery[][] = [];
  #batch: Delivery[] = [];
  #scheduled = false;

  constructor(inbox: Inbox) {
    this.#inbox = inbox;
  }

  add(delivery: Delivery): void {
    this.#batch.push(delivery);
  }

  /** Ends a batch; an empty one does nothing. */
  endBatch(): boolean {
    if (this.#batch.length === 0) return false;
    this.#batches.push(this.#batch);
    this.#batch = [];
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => this.#run());
    }
    return true;
  }

  stop(): void {
    this.#inbox = null;
  }

  #run(): void {
    this.#scheduled = false;
    const batches = this.#batches;
    this.#batches = [];
    for (const batch of batches) {
      // The inbox is read each time, because it may stop the engine.
      if (this.#inbox === null) return;
      for (const delivery of batch) deliver(this.#inbox, delivery);
      this.#inbox.endBatch();
    }
  }
}

function deliver(inbox: Inbox, delivery: Delivery): void {
  if ('stream' in delivery) inbox.deliver(delivery);
  else if ('broadcast' in delivery) inbox.broadcast(delivery.broadcast);
  else inbox.command(delivery.command);
}

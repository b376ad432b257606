import { subscriptionStream, type StreamName } from '../streams.js';
import type { EventLog } from './event-log.js';

const PREFIX = subscriptionStream('');

/**
 * Tells producers by Kafka which subscription ids have subscribers on this node (`ws-subscriptions`,
 * docs/records.md). The key is the id, so order is kept per id. Each `added` is followed by one `removed`, unless the node is killed.
 */
export class SubscriptionEvents {
  readonly #log: EventLog;
  readonly #node: string;
  /** Ids that producers were told of. */
  readonly #ids = new Set<string>();

  constructor(log: EventLog, node: string) {
    this.#log = log;
    this.#node = node;
  }

  /** A connection has subscribed by a command. */
  joined(id: string, command: string): void {
    if (this.#ids.has(id)) return;
    this.#ids.add(id);
    this.#add(id, { event: 'added', id, command });
  }

  /** The last connection has left the stream, whatever stream it is. */
  left(stream: StreamName): void {
    if (!stream.startsWith(PREFIX)) return;
    const id = stream.slice(PREFIX.length);
    // An id that is not in the set was never told: the backend refused.
    if (this.#ids.delete(id)) this.#add(id, { event: 'removed', id });
  }

  #add(key: string, event: object): void {
    const timestamp = new Date().toISOString();
    this.#log.add({ key, value: JSON.stringify({ ...event, node: this.#node, timestamp }) });
  }
}

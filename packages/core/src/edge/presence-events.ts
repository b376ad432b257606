import type { PresenceRow } from '../engine.js';
import type { Connection } from './connection.js';
import type { EventLog } from './event-log.js';

/** Tells back ends by Kafka who came and went (contract 3, `ws-presence`). The key is the user, so order is kept per user. */
export class PresenceEvents {
  readonly #log: EventLog;
  readonly #node: string;

  constructor(log: EventLog, node: string) {
    this.#log = log;
    this.#node = node;
  }

  connected(connection: Connection): void {
    this.#write('connected', connection, '');
  }

  disconnected(connection: Connection, reason: string): void {
    this.#write('disconnected', connection, reason);
  }

  /** Rows that were taken away for a dead node; each is reported by one node only. */
  expired(rows: readonly (PresenceRow & { readonly user: string })[]): void {
    for (const { user, connection, node } of rows)
      this.#add('expired', { user, connection, node, reason: 'node_lost' });
  }

  #write(event: string, connection: Connection, reason: string): void {
    const { user } = connection;
    // A guest is nobody whose presence could be told.
    if (user !== null) this.#add(event, { user, connection: connection.id, node: this.#node, reason });
  }

  #add(
    event: string,
    { user, connection, node, reason }: Record<'user' | 'connection' | 'node' | 'reason', string>,
  ): void {
    const timestamp = new Date().toISOString();
    const value = { event, user_id: user, connection_id: connection, node, reason, timestamp };
    this.#log.add({ key: user, value: JSON.stringify(value) });
  }
}

import type { PresenceRow } from '../engine.js';
import type { Connection } from '../edge/delivery/connection.js';
import type { EventLog } from './event-log.js';

interface Present {
  readonly user: string;
  readonly connection: string;
  readonly node: string;
  readonly sinceMs: number;
}

/**
 * Tells back ends by Kafka who came and went (`ws-presence`, docs/records.md). The key is the user, so order is kept per user.
 * A connection can become its user's a second time (the command `authentication`): `since` tells which time is meant, and
 * a record with a later one outdates those before.
 */
export class PresenceEvents {
  readonly #log: EventLog;
  readonly #node: string;
  /** Presence that was told of a connection: a change of user may be under way when it ends. */
  readonly #present = new WeakMap<Connection, Present>();

  constructor(log: EventLog, node: string) {
    this.#log = log;
    this.#node = node;
  }

  connected(connection: Connection): void {
    const { id, login } = connection;
    const { user, sinceMs } = login;
    // A guest is nobody whose presence could be told.
    if (user === null) return;
    const present = { user, connection: id, node: this.#node, sinceMs };
    this.#present.set(connection, present);
    this.#add('connected', present, '');
  }

  disconnected(connection: Connection, reason: string): void {
    const present = this.#present.get(connection);
    if (present === undefined) return;
    this.#present.delete(connection);
    this.#add('disconnected', present, reason);
  }

  changedUser(connection: Connection): void {
    this.disconnected(connection, 'authentication');
    this.connected(connection);
  }

  /** Rows that were taken away for a dead node; each is reported by one node only. */
  expired(rows: readonly (PresenceRow & { readonly user: string })[]): void {
    for (const row of rows) this.#add('expired', row, 'node_lost');
  }

  #add(event: string, { user, connection, node, sinceMs }: Present, reason: string): void {
    const since = new Date(sinceMs).toISOString();
    const timestamp = new Date().toISOString();
    const value = { event, user_id: user, connection_id: connection, node, since, reason, timestamp };
    this.#log.add({ key: user, value: JSON.stringify(value) });
  }
}

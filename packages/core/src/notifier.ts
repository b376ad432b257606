/**
 * What back-end services may send besides Kafka records: to everybody, to a room, to one user; from any
 * node to the sockets of all nodes. Implemented over the engine; gRPC and HTTP are its callers.
 */
export interface Notifier {
  /** To every connection; with `hub` set, to the hub's connections. */
  broadcast(notification: Notification, hub: string | null): Promise<void>;
  /** To those who entered the room; with `hub` set, to those who entered it there. */
  notifyRoom(room: string, notification: Notification, hub: string | null): Promise<void>;
  /** To all connections of the user, whatever they are subscribed to; with `hub` set, to those in the hub. */
  privateNotify(user: string, notification: Notification, hub: string | null): Promise<void>;
}

export interface Notification {
  /** `info`, `warning`, `error`, `success`, or `unspecified`. */
  readonly type: string;
  readonly entityId: string;
  /** JSON text, passed through as it is. */
  readonly payload: string;
}

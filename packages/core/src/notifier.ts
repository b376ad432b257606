/**
 * Sends what back-end services have to say besides Kafka records: to everybody, to a room, to one user; from any node
 * to the sockets of all nodes. It is implemented over the engine; gRPC and HTTP are its callers.
 */
export interface Notifier {
  /** Sends to every connection; with `hub` set, to the hub's connections. */
  broadcast(notification: Notification, hub: string | null): Promise<void>;
  /** Sends to those who entered the room; with `hub` set, to those who entered it there. */
  notifyRoom(room: string, notification: Notification, hub: string | null): Promise<void>;
  /** Sends to all connections of the user, whatever they are subscribed to; with `hub` set, to those in the hub. */
  privateNotify(user: string, notification: Notification, hub: string | null): Promise<void>;
}

export interface Notification {
  /** Type: `info`, `warning`, `error`, `success`, or `unspecified`. */
  readonly type: string;
  readonly entityId: string;
  /** Payload as JSON text, passed through as it is. */
  readonly payload: string;
}

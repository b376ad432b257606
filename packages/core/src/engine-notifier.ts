import type { Engine, PublishItem } from './engine.js';
import { notificationHead } from './frame.js';
import type { Notification, Notifier } from './notifier.js';
import { EVERY_CONNECTION, hubRoomStream, hubStream, hubTopic, roomStream, type Retention } from './streams.js';

/** Notifier over the engine: any node's call reaches the sockets of all nodes. Rejects with EngineError. */
export class EngineNotifier implements Notifier {
  readonly #engine: Engine;
  readonly #roomRetention: Retention | null;

  constructor(engine: Engine, options: { roomRetention: Retention | null }) {
    this.#engine = engine;
    this.#roomRetention = options.roomRetention;
  }

  async broadcast(notification: Notification, hub: string | null): Promise<void> {
    const head = notificationHead({ event: 'broadcast', ...notification }, null);
    if (hub === null) await this.#publish({ kind: 'all', head });
    else await this.#publish({ kind: 'channel', stream: hubStream(hub), retention: null, head });
  }

  async notifyRoom(room: string, notification: Notification, hub: string | null): Promise<void> {
    const stream = hub === null ? roomStream(room) : hubRoomStream(hub, room);
    const retention = hub === null ? this.#roomRetention : null;
    const head = notificationHead({ event: 'room', room, ...notification }, retention === null ? null : stream);
    await this.#publish({ kind: 'channel', stream, retention, head });
  }

  async privateNotify(user: string, notification: Notification, hub: string | null): Promise<void> {
    const head = notificationHead({ event: 'private', ...notification }, null);
    const topic = hub === null ? EVERY_CONNECTION : hubTopic(hub);
    await this.#publish({ kind: 'user', topic, user, retention: null, head });
  }

  async #publish(item: DistributiveOmit<PublishItem, 'sourceOffset' | 'recordTimeMs'>): Promise<void> {
    const items = [{ ...item, sourceOffset: -1, recordTimeMs: Date.now() }];
    await this.#engine.publish({ source: null, items });
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

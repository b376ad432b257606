import type { StreamName } from '../../streams.js';
import type { Subscription } from './connection.js';
import { takeOut, type Crowd } from './fan-out-groups.js';

/**
 * A stream with at least one subscriber on this node. Streams of many (public, room, hub, subscription id) may be served
 * by the transport's native fan-out, which shares one buffer; a user's own stream never is: joining and leaving would
 * cost more than the few sends.
 */
export class Channel {
  readonly stream: StreamName;
  /** False for a user's own stream. */
  readonly shared: boolean;
  /** Served one by one: a user's devices, and of a shared stream those that join, lag or have just caught up. */
  readonly singles: Subscription[] = [];
  /** Those that the transport serves; null until there are enough for it. */
  crowd: Crowd | null = null;
  epoch = '';
  /** Newest offset seen here: where every natively served subscription is. */
  offset = 0;

  constructor(stream: StreamName, shared: boolean) {
    this.stream = stream;
    this.shared = shared;
  }

  get size(): number {
    return this.singles.length + (this.crowd?.members.length ?? 0);
  }

  /** To look through: it changes when one of them leaves. */
  subscriptions(): readonly Subscription[] {
    return this.crowd === null ? this.singles : this.singles.concat(this.crowd.members);
  }

  addSingle(subscription: Subscription): void {
    subscription.index = this.singles.push(subscription) - 1;
  }

  remove(subscription: Subscription): void {
    if (subscription.group === null) takeOut(this.singles, subscription);
    else this.crowd!.remove(subscription);
  }
}

/** All channels of this node by stream name: the one lookup a delivery needs. */
export class ChannelTable {
  readonly #channels = new Map<StreamName, Channel>();
  /** Few beside those of users, and looked at twenty times a second: among 20,000 others that took 1-2 % of a core. */
  readonly #shared = new Set<Channel>();

  get(stream: StreamName): Channel | undefined {
    return this.#channels.get(stream);
  }

  obtain(stream: StreamName, shared: boolean): Channel {
    let channel = this.#channels.get(stream);
    if (channel === undefined) {
      channel = new Channel(stream, shared);
      this.#channels.set(stream, channel);
      if (shared) this.#shared.add(channel);
    }
    return channel;
  }

  dropIfEmpty(channel: Channel): boolean {
    if (channel.size > 0) return false;
    this.#shared.delete(channel);
    return this.#channels.delete(channel.stream);
  }

  shared(): Iterable<Channel> {
    return this.#shared;
  }
}

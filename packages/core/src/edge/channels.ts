import type { StreamName } from '../streams.js';
import type { Subscription } from './connection.js';

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
  readonly natives: Subscription[] = [];
  epoch = '';
  /** Newest offset seen here: where every natively served subscription is. */
  offset = 0;
  /** Something was published natively since backlogs were last looked at. */
  published = false;

  constructor(stream: StreamName, shared: boolean) {
    this.stream = stream;
    this.shared = shared;
  }

  get empty(): boolean {
    return this.singles.length === 0 && this.natives.length === 0;
  }

  addSingle(subscription: Subscription): void {
    subscription.native = false;
    subscription.index = this.singles.push(subscription) - 1;
  }

  addNative(subscription: Subscription): void {
    subscription.native = true;
    subscription.index = this.natives.push(subscription) - 1;
  }

  /** The last one takes the place of the removed one: order among subscribers means nothing. */
  remove(subscription: Subscription): void {
    const list = subscription.native ? this.natives : this.singles;
    const last = list.pop();
    if (last === undefined) throw new Error(`channel ${this.stream}: removed more subscriptions than were added`);
    if (last === subscription) return;
    list[subscription.index] = last;
    last.index = subscription.index;
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
    if (!channel.empty) return false;
    this.#shared.delete(channel);
    return this.#channels.delete(channel.stream);
  }

  shared(): Iterable<Channel> {
    return this.#shared;
  }
}

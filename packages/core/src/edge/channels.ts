import type { StreamName } from '../streams.js';
import type { Subscription } from './connection.js';

/** Sockets of a channel that are published to together: written to one by one that takes 2 ms. */
const GROUP_SIZE = 256;

/** Some of the natively served sockets of a channel: one channel of the transport. */
export interface Group {
  readonly name: string;
  size: number;
  /** How many frames of the channel it has been given, of all since the channel began. */
  given: number;
}

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
  /** Of the natively served: filled one after the other, so a client's place is about the same in all its channels. */
  readonly groups: Group[] = [];
  /** The newest frames: those that some group has not been given. */
  frames: Uint8Array[] = [];
  /** How many frames there were since the channel began. */
  framesEnd = 0;
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
    subscription.index = this.singles.push(subscription) - 1;
  }

  /** The group must have been given everything. */
  addNative(subscription: Subscription, group: Group): void {
    group.size++;
    subscription.group = group;
    subscription.index = this.natives.push(subscription) - 1;
  }

  groupWithRoom(): Group {
    const group = this.groups.find(({ size }) => size < GROUP_SIZE);
    if (group !== undefined) return group;
    const added = { name: `${this.stream}\n${this.groups.length}`, size: 0, given: this.framesEnd };
    this.groups.push(added);
    return added;
  }

  addFrame(frame: Uint8Array): void {
    this.frames.push(frame);
    this.framesEnd++;
  }

  /** Forgets the frames that all groups have been given. */
  forgetGiven(): void {
    const given = Math.min(this.framesEnd, ...this.groups.map((group) => group.given));
    this.frames.splice(0, this.frames.length - (this.framesEnd - given));
  }

  /** The last one takes the place of the removed one: order among subscribers means nothing. */
  remove(subscription: Subscription): void {
    const list = subscription.group === null ? this.singles : this.natives;
    if (subscription.group !== null) this.#leaveGroup(subscription.group);
    subscription.group = null;
    const last = list.pop();
    if (last === undefined) throw new Error(`channel ${this.stream}: removed more subscriptions than were added`);
    if (last === subscription) return;
    list[subscription.index] = last;
    last.index = subscription.index;
  }

  #leaveGroup(group: Group): void {
    group.size--;
    while (this.groups.at(-1)?.size === 0) this.groups.pop();
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

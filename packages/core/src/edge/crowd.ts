import type { StreamName } from '../streams.js';
import type { Subscription } from './connection.js';

/** Sockets of a crowd that are published to together: written to one by one that takes 2 ms. */
const GROUP_SIZE = 256;

/** One channel of the transport. */
export interface Group {
  readonly name: string;
  size: number;
  /** How many of the crowd's frames it has been given. */
  given: number;
}

/** The subscriptions of a stream that the transport's own fan-out serves, in groups that have turns (see Crowds). */
export class Crowd {
  readonly members: Subscription[] = [];
  /** Filled one after the other, so a client's place is about the same in all its crowds. */
  readonly groups: Group[] = [];
  /** Those that some group has not been given, and what came after them. */
  readonly frames: Uint8Array[] = [];
  /** Something was published since backlogs were last looked at. */
  published = false;
  readonly #stream: StreamName;

  constructor(stream: StreamName) {
    this.#stream = stream;
  }

  /** The group must have been given everything. */
  add(subscription: Subscription, group: Group): void {
    group.size++;
    subscription.group = group;
    subscription.index = this.members.push(subscription) - 1;
  }

  remove(subscription: Subscription): void {
    takeOut(this.members, subscription);
    subscription.group!.size--;
    subscription.group = null;
    while (this.groups.at(-1)?.size === 0) this.groups.pop();
  }

  groupWithRoom(): Group {
    const group = this.groups.find(({ size }) => size < GROUP_SIZE);
    if (group !== undefined) return group;
    const added = { name: `${this.#stream}\n${this.groups.length}`, size: 0, given: this.frames.length };
    this.groups.push(added);
    return added;
  }

  /** Forgets the frames that all groups have been given. */
  forgetGiven(): void {
    const count = Math.min(this.frames.length, ...this.groups.map(({ given }) => given));
    this.frames.splice(0, count);
    for (const group of this.groups) group.given -= count;
  }
}

/** The last one takes the place of the one that goes: order among subscribers means nothing. */
export function takeOut(list: Subscription[], subscription: Subscription): void {
  const last = list.pop();
  if (last === undefined) throw new Error(`${subscription.channel.stream}: more subscriptions went than there were`);
  if (last === subscription) return;
  list[subscription.index] = last;
  last.index = subscription.index;
}

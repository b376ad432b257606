import type { StreamName } from '../../streams.js';
import type { Subscription } from './connection.js';
import type { ChannelPublisher } from '../../transport.js';
import type { Connection } from './connection.js';

/** Sockets of a crowd that are published to together: written to one by one that takes 2 ms. */
const GROUP_SIZE = 256;

/** One channel of the transport. */
export interface FanOutGroup {
  readonly name: string;
  size: number;
  /** How many of the crowd's frames it has been given. */
  given: number;
}

/** The subscriptions of a stream that the transport's own fan-out serves, in groups that have turns (see Crowds). */
export class NativeFanOut {
  readonly members: Subscription[] = [];
  /** Filled one after the other, so a client's place is about the same in all its crowds. */
  readonly groups: FanOutGroup[] = [];
  /** Those that some group has not been given, and what came after them. */
  readonly frames: Uint8Array[] = [];
  /** Something was published since backlogs were last looked at. */
  published = false;
  readonly #stream: StreamName;

  constructor(stream: StreamName) {
    this.#stream = stream;
  }

  /** The group must have been given everything. */
  add(subscription: Subscription, group: FanOutGroup): void {
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

  groupWithRoom(): FanOutGroup {
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
  if (last === undefined)
    throw new Error(`${subscription.localStream.stream}: more subscriptions went than there were`);
  if (last === subscription) return;
  list[subscription.index] = last;
  last.index = subscription.index;
}

/**
 * Publishes to crowds, one group of each in a turn of the event loop.
 *
 * Writing to a socket takes 7 µs. Written to in one turn, a crowd of thousands would keep the loop from everything else,
 * and most of all from its own next messages: from Kafka to here they wait for the loop three times. What comes while a
 * round is under way is taken along by the groups whose turn is still to come, so a busy crowd costs no more writes.
 */
export class FanOutScheduler {
  readonly #publisher: ChannelPublisher;
  /** Crowds with frames that some group has not been given. */
  readonly #behind = new Set<NativeFanOut>();
  /** Which group's turn is next. */
  #turn = 0;
  #underWay = false;

  constructor(publisher: ChannelPublisher) {
    this.#publisher = publisher;
  }

  /** A crowd of one group has it at once, any other one with the next round. */
  publish(native: NativeFanOut, frame: Uint8Array): void {
    if (native.groups.length > 1) {
      native.frames.push(Buffer.from(frame));
      this.#behind.add(native);
      return;
    }
    const group = native.groups[0]!;
    this.settle(native, group);
    this.#publisher.publish(group.name, frame);
  }

  /** Before anything else is sent to the socket: frames leave in the order in which they came. */
  settleFor({ subscriptions }: Connection): void {
    if (this.#behind.size === 0) return;
    for (const { localStream, group } of subscriptions) if (group !== null) this.settle(localStream.native!, group);
  }

  /** Gives the group what the crowd has and it has not. Before a socket joins or leaves it. */
  settle(native: NativeFanOut, group: FanOutGroup): void {
    const { frames } = native;
    if (group.size > 0) {
      for (let at = group.given; at < frames.length; at++) this.#publisher.publish(group.name, frames[at]!);
    }
    group.given = frames.length;
  }

  /** Begins a round, if none is under way. */
  begin(): void {
    if (!this.#underWay && this.#behind.size > 0) this.#runTurn();
  }

  #runTurn(): void {
    let groups = 0;
    for (const native of this.#behind) {
      groups = Math.max(groups, native.groups.length);
      const group = native.groups[this.#turn];
      if (group !== undefined) this.settle(native, group);
    }
    this.#turn++;
    if (this.#turn >= groups) this.#endRound();
    this.#underWay = this.#behind.size > 0;
    if (this.#underWay) setImmediate(() => this.#runTurn());
  }

  #endRound(): void {
    this.#turn = 0;
    for (const native of this.#behind) {
      native.forgetGiven();
      if (native.frames.length === 0) this.#behind.delete(native);
    }
  }
}

import type { ChannelPublisher } from '../transport.js';
import type { Channel, Group } from './channels.js';
import type { Connection } from './connection.js';

/**
 * Publishes to the natively served sockets of channels, one group of each channel in a turn of the event loop.
 *
 * Writing to a socket takes 7 µs. Written to in one turn, a crowd of thousands would keep the loop from everything else,
 * and most of all from its own next messages: from Kafka to here they wait for the loop three times. What comes while a
 * round is under way is taken along by the groups whose turn is still to come, so a busy crowd costs no more writes.
 */
export class Crowds {
  readonly #publisher: ChannelPublisher;
  /** Channels with frames that some group has not been given. */
  readonly #behind = new Set<Channel>();
  /** Which group's turn is next. */
  #turn = 0;
  #underWay = false;

  constructor(publisher: ChannelPublisher) {
    this.#publisher = publisher;
  }

  /** A channel of one group has it at once, any other one with the next round. */
  publish(channel: Channel, frame: Uint8Array): void {
    if (channel.groups.length > 1) {
      channel.addFrame(Buffer.from(frame));
      this.#behind.add(channel);
      return;
    }
    const group = channel.groups[0]!;
    this.settle(channel, group);
    this.#publisher.publish(group.name, frame);
  }

  /** Before anything else is sent to the socket: frames leave in the order in which they came. */
  settleFor({ subscriptions }: Connection): void {
    if (this.#behind.size === 0) return;
    for (const { channel, group } of subscriptions) if (group !== null) this.settle(channel, group);
  }

  /** Gives the group what the channel has and it has not. Before a socket joins or leaves it. */
  settle(channel: Channel, group: Group): void {
    const { frames, framesEnd } = channel;
    if (group.size > 0) {
      for (let at = frames.length - (framesEnd - group.given); at < frames.length; at++) {
        this.#publisher.publish(group.name, frames[at]!);
      }
    }
    group.given = framesEnd;
  }

  /** Begins a round, if none is under way. */
  begin(): void {
    if (!this.#underWay && this.#behind.size > 0) this.#runTurn();
  }

  #runTurn(): void {
    let groups = 0;
    for (const channel of this.#behind) {
      groups = Math.max(groups, channel.groups.length);
      const group = channel.groups[this.#turn];
      if (group !== undefined) this.settle(channel, group);
    }
    this.#turn++;
    if (this.#turn >= groups) this.#endRound();
    this.#underWay = this.#behind.size > 0;
    if (this.#underWay) setImmediate(() => this.#runTurn());
  }

  #endRound(): void {
    this.#turn = 0;
    for (const channel of this.#behind) {
      channel.forgetGiven();
      if (channel.frames.length === 0) this.#behind.delete(channel);
    }
  }
}

import type { ChannelPublisher } from '../transport.js';
import type { Connection } from './connection.js';
import type { Crowd, Group } from './crowd.js';

/**
 * Publishes to crowds, one group of each in a turn of the event loop.
 *
 * Writing to a socket takes 7 µs. Written to in one turn, a crowd of thousands would keep the loop from everything else,
 * and most of all from its own next messages: from Kafka to here they wait for the loop three times. What comes while a
 * round is under way is taken along by the groups whose turn is still to come, so a busy crowd costs no more writes.
 */
export class Crowds {
  readonly #publisher: ChannelPublisher;
  /** Crowds with frames that some group has not been given. */
  readonly #behind = new Set<Crowd>();
  /** Which group's turn is next. */
  #turn = 0;
  #underWay = false;

  constructor(publisher: ChannelPublisher) {
    this.#publisher = publisher;
  }

  /** A crowd of one group has it at once, any other one with the next round. */
  publish(crowd: Crowd, frame: Uint8Array): void {
    if (crowd.groups.length > 1) {
      crowd.frames.push(Buffer.from(frame));
      this.#behind.add(crowd);
      return;
    }
    const group = crowd.groups[0]!;
    this.settle(crowd, group);
    this.#publisher.publish(group.name, frame);
  }

  /** Before anything else is sent to the socket: frames leave in the order in which they came. */
  settleFor({ subscriptions }: Connection): void {
    if (this.#behind.size === 0) return;
    for (const { channel, group } of subscriptions) if (group !== null) this.settle(channel.crowd!, group);
  }

  /** Gives the group what the crowd has and it has not. Before a socket joins or leaves it. */
  settle(crowd: Crowd, group: Group): void {
    const { frames } = crowd;
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
    for (const crowd of this.#behind) {
      groups = Math.max(groups, crowd.groups.length);
      const group = crowd.groups[this.#turn];
      if (group !== undefined) this.settle(crowd, group);
    }
    this.#turn++;
    if (this.#turn >= groups) this.#endRound();
    this.#underWay = this.#behind.size > 0;
    if (this.#underWay) setImmediate(() => this.#runTurn());
  }

  #endRound(): void {
    this.#turn = 0;
    for (const crowd of this.#behind) {
      crowd.forgetGiven();
      if (crowd.frames.length === 0) this.#behind.delete(crowd);
    }
  }
}

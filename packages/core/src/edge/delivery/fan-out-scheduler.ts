import type { Connection, NativeSubscribers } from './connection.js';
import type { FanOutGroup } from './fan-out-group.js';

/**
 * Publishes to streams with many subscribers, one group of each in a turn of the event loop.
 *
 * Writing to a socket takes 7 µs. Written to in one turn, thousands of sockets would keep the loop from everything else,
 * and most of all from its own next messages: from Kafka to here they wait for the loop three times. What comes while a
 * round is under way is taken along by the groups whose turn is still to come, so a busy stream costs no more writes.
 */
export class FanOutScheduler {
  /** Streams with frames that some group has not been given. */
  readonly #behind = new Set<NativeSubscribers>();
  /** Index of the group whose turn is next. */
  #turn = 0;
  #underWay = false;

  /** A stream of one group has it at once, any other one with the next round. */
  publish(native: NativeSubscribers, frame: Uint8Array): void {
    if (native.groups.length > 1) {
      native.frames.push(Buffer.from(frame));
      this.#behind.add(native);
      return;
    }
    const group = native.groups[0]!;
    this.settle(native, group);
    group.transport.publish(group.name, frame);
  }

  /**
   * Gives the socket's groups what they have not been given. Called before anything else is sent to the socket: frames
   * leave in the order in which they came.
   */
  settleFor({ subscriptions }: Connection): void {
    if (this.#behind.size === 0) return;
    for (const { localStream, group } of subscriptions) if (group !== null) this.settle(localStream.native!, group);
  }

  /** Gives the group the frames that it has not been given. Before a socket joins or leaves it. */
  settle(native: NativeSubscribers, group: FanOutGroup): void {
    const { frames } = native;
    if (group.size > 0) {
      for (let at = group.given; at < frames.length; at++) group.transport.publish(group.name, frames[at]!);
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

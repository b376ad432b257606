import type { RouterBeat, ShownBeat } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';

/** Time in ms after which nobody needs the signs any more: what a member left in Kafka has ended long before. */
const KEPT_MS = 60_000;
/** Signs of others shown at least, those given longest ago: a dead router's is among them. */
const SHOWN_MIN = 16;

/**
 * Signs of life of the routers of a group: `<number> <lease in ms> <member>` by node, in the partition that lists the nodes.
 * Each router is shown those that were given longest ago.
 */
export class RouterBeats {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #node: string;
  #count = 0;

  constructor(calls: Calls, keys: Keys, node: string) {
    this.#calls = calls;
    this.#keys = keys;
    this.#node = node;
  }

  /** See Engine.beat. */
  async beat(group: string, beat: RouterBeat | null): Promise<readonly ShownBeat[]> {
    const text = beat === null ? '' : `${++this.#count} ${beat.leaseMs} ${beat.member ?? ''}`;
    const call = { keys: this.#keysOf(group), args: [this.#node, text, KEPT_MS, SHOWN_MIN] };
    const reply = await this.#calls.of(0).run<string[]>('beat', call);
    const others: ShownBeat[] = [];
    for (let at = 0; at < reply.length; at += 2) {
      if (reply[at] !== this.#node) others.push(toShown(reply[at]!, reply[at + 1]!));
    }
    return others;
  }

  /** See Engine.endBeat. */
  async end(group: string, { node, score }: ShownBeat): Promise<boolean> {
    const call = { keys: this.#keysOf(group), args: [node, score] };
    return (await this.#calls.of(0).run<number>('end-beat', call)) === 1;
  }

  #keysOf(group: string): string[] {
    return [this.#keys.key(0, 'BEATS', group), this.#keys.key(0, 'BEAT_ORDER', group)];
  }
}

function toShown(node: string, score: string): ShownBeat {
  const [, leaseMs, member = ''] = score.split(' ');
  return { node, score, leaseMs: Number(leaseMs), member: member === '' ? null : member };
}

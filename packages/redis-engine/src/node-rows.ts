import type { NodeRow } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';

/** Time in ms for which one node's answer to what topics are read is given to the others as well. */
const TOPICS_READ_KEPT_MS = 500;

/** What nodes tell of themselves, in the partition that lists them. */
export class NodeRows {
  readonly #calls: Calls;
  readonly #keys: Keys;

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls;
    this.#keys = keys;
  }

  /** See Engine.nodes. */
  async all(): Promise<NodeRow[]> {
    const keys = [this.#keys.base(0), this.#keys.key(0, 'NODES')];
    const reply = await this.#calls.of(0).run<string[]>('nodes', { keys, args: [] });
    const rows: NodeRow[] = [];
    for (let at = 1; at < reply.length; at += 2) {
      if (reply[at] !== '') rows.push(JSON.parse(reply[at]!) as NodeRow);
    }
    return rows;
  }

  /** See Engine.topicsRead. */
  async topicsRead(): Promise<ReadonlySet<string>> {
    const keys = [this.#keys.base(0), this.#keys.key(0, 'NODES'), this.#keys.key(0, 'TOPICS_READ')];
    const answer = await this.#calls.of(0).run<string>('topics-read', { keys, args: [TOPICS_READ_KEPT_MS] });
    return new Set(Object.keys(JSON.parse(answer) as object));
  }
}

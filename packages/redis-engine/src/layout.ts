import { EngineError } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';

/**
 * Number of the way in which keys and values are written. A release that writes them so that the one before would
 * misread them has another number; one that can read both, and is read by both, keeps it.
 */
const FORMAT = 1;

/** Layout that all nodes on one prefix must agree on: another one looks for the same user's rows under other keys. */
export class Layout {
  readonly #calls: Calls;
  readonly #keys: Keys;

  constructor(calls: Calls, keys: Keys) {
    this.#calls = calls;
    this.#keys = keys;
  }

  /** The first node writes it down. Rejects with `layout_mismatch` when another one is there. */
  async check(): Promise<void> {
    const own = layoutText(this.#keys);
    const key = this.#keys.key(0, 'LAYOUT');
    await this.#calls.of(0).command<string | null>('set', [key, own, 'NX']);
    const stored = await this.#calls.of(0).command<string | null>('get', [key]);
    if (stored === null || stored === own) return;
    throw new EngineError(
      'layout_mismatch',
      `redis: the keys are laid out as ${stored}, this node has ${own}. All nodes must agree: set redis.partitions and ` +
        'redis.partitioner alike, or stop all nodes and run `ws-gateway redis forget-layout`, after which history and ' +
        'presence begin anew',
    );
  }
}

/** The partitioner is said where it is not the one that there was before it could be chosen, and makes a difference. */
function layoutText({ partitions, partitioner }: Keys): string {
  const isSaid = partitioner !== 'crc32' && partitions > 1;
  return JSON.stringify({ format: FORMAT, partitions, ...(isSaid ? { partitioner } : {}) });
}

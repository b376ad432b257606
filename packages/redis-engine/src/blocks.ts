import { closeReason, type Block, type NodeCommand, type PartitionOffset } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';

/** Bound of one script run: everybody else waits for it. */
const BLOCKS_PER_CALL = 200;

/** What a Redis that lost its data has to be told again. */
export class Blocks {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #settings: Settings;

  constructor(calls: Calls, keys: Keys, settings: Settings) {
    this.#calls = calls;
    this.#keys = keys;
    this.#settings = settings;
  }

  /** See Engine.blocksKnown. */
  async known(): Promise<boolean> {
    const links = this.#keys.all().map((partition) => this.#calls.of(partition));
    const marks = await Promise.all(links.map((link, p) => link.command<string | null>('get', [this.#mark(p)])));
    // Another process may have come up without the newest of what the one before had acknowledged.
    return marks.every((mark, p) => mark === links[p]!.server);
  }

  /** See Engine.restoreBlocks. */
  async restore(blocks: ReadonlyMap<string, Block>, read: readonly PartitionOffset[]): Promise<boolean> {
    const servers = this.#keys.all().map((partition) => this.#calls.of(partition).server);
    for (const part of this.#parts(blocks)) {
      if (!(await this.#restorePart(part, read))) return false;
    }
    await Promise.all(servers.map((server, p) => this.#calls.of(p).command<string>('set', [this.#mark(p), server])));
    return true;
  }

  async #restorePart(part: RestorePart, read: readonly PartitionOffset[]): Promise<boolean> {
    const { inboxBytesMax } = this.#settings;
    const link = this.#calls.of(part.partition);
    const sources = read.flatMap(({ topic, partition, offset }) => [topic, partition, offset]);
    const args = [link.server, inboxBytesMax, read.length, ...sources, ...part.blocks];
    return (await link.run<number>('restore-blocks', { keys: [this.#keys.base(part.partition)], args })) === 1;
  }

  *#parts(blocks: ReadonlyMap<string, Block>): Iterable<RestorePart> {
    const open = new Map<number, (string | number)[]>();
    for (const [user, block] of blocks) {
      const partition = this.#keys.partitionOf(user);
      const args = open.get(partition) ?? [];
      args.push(user, JSON.stringify(block), block.expiresAtMs ?? '', JSON.stringify(closeCommand(user, block)));
      if (args.length < 4 * BLOCKS_PER_CALL) open.set(partition, args);
      else {
        open.delete(partition);
        yield { partition, blocks: args };
      }
    }
    for (const [partition, args] of open) yield { partition, blocks: args };
  }

  /** One in each partition: one of several servers may come back empty alone. */
  #mark(partition: number): string {
    return this.#keys.key(partition, 'BLOCKS_KNOWN');
  }
}

interface RestorePart {
  readonly partition: number;
  readonly blocks: readonly (string | number)[];
}

export function closeCommand(user: string, block: Block): NodeCommand {
  return { command: 'close', user, close: closeReason('user_blocked', block.reason) };
}

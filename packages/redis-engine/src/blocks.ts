import { closeReason, type Block, type NodeCommand, type PartitionOffset } from '@ws-gateway/core';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';
import type { ScriptLink } from './script-link.js';

/** Bound of one script run: everybody else waits for it. */
const BLOCKS_PER_CALL = 200;

/** What a Redis that lost its data has to be told again. */
export class Blocks {
  readonly #link: ScriptLink;
  readonly #keys: Keys;
  readonly #settings: Settings;

  constructor(link: ScriptLink, keys: Keys, settings: Settings) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
  }

  /** See Engine.blocksKnown. */
  async known(): Promise<boolean> {
    const marks = await Promise.all(this.#marks().map((key) => this.#link.command<string | null>('get', [key])));
    // Another process may have come up without the newest of what the one before had acknowledged.
    return marks.every((mark) => mark === this.#link.server);
  }

  /** See Engine.restoreBlocks. */
  async restore(blocks: ReadonlyMap<string, Block>, read: readonly PartitionOffset[]): Promise<boolean> {
    const { server } = this.#link;
    for (const part of this.#parts(blocks)) {
      if (!(await this.#restorePart(part, read))) return false;
    }
    await Promise.all(this.#marks().map((key) => this.#link.command<string>('set', [key, server])));
    return true;
  }

  async #restorePart(part: RestorePart, read: readonly PartitionOffset[]): Promise<boolean> {
    const { inboxLengthMax, inboxBytesMax } = this.#settings;
    const sources = read.flatMap(({ topic, partition, offset }) => [topic, partition, offset]);
    const args = [this.#link.server, inboxLengthMax, inboxBytesMax, read.length, ...sources, ...part.blocks];
    return (await this.#link.run<number>('restore-blocks', { keys: [this.#keys.base(part.partition)], args })) === 1;
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
  #marks(): string[] {
    return Array.from({ length: this.#keys.partitions }, (_, partition) => this.#keys.key(partition, 'BLOCKS_KNOWN'));
  }
}

interface RestorePart {
  readonly partition: number;
  readonly blocks: readonly (string | number)[];
}

export function closeCommand(user: string, block: Block): NodeCommand {
  return { command: 'close', user, close: closeReason('user_blocked', block.reason) };
}

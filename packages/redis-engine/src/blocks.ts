import { closeReason, compareUtf8 } from '@ws-gateway/core';
import type { Block, BlockedUser, BlockWord, Logger, NodeCommand } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';

/** Bound of one script run: everybody else waits for it. */
const BLOCKS_PER_CALL = 200;
const ARGS_PER_BLOCK = 7;
/** Lease refreshes between two sweeps. */
const SWEEP_EVERY = 60;
/** Keys that one step of a look for the blocks of earlier releases goes through. */
const SCAN_COUNT = 1000;

/** Blocks, which a Redis that lost its data has to be told again. */
export class Blocks {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #settings: Settings;
  readonly #logger: Logger;
  #refreshes = 0;

  constructor(calls: Calls, keys: Keys, { settings, logger }: { settings: Settings; logger: Logger }) {
    this.#calls = calls;
    this.#keys = keys;
    this.#settings = settings;
    this.#logger = logger;
  }

  /** See Engine.blocksKnown. */
  async known(): Promise<boolean> {
    const links = this.#keys.all().map((partition) => this.#calls.of(partition));
    const marks = await Promise.all(links.map((link, p) => link.command<string | null>('get', [this.#mark(p)])));
    // Another process may have come up without the newest of what the one before had acknowledged.
    return marks.every((mark, p) => mark === links[p]!.server);
  }

  /** See Engine.restoreBlocks. */
  async restore(words: ReadonlyMap<string, BlockWord>): Promise<number> {
    const servers = this.#keys.all().map((partition) => this.#calls.of(partition).server);
    let restored = 0;
    for (const part of this.#parts(words)) restored += await this.#restorePart(part);
    await Promise.all(servers.map((server, p) => this.#calls.of(p).command<string>('set', [this.#mark(p), server])));
    return restored;
  }

  /** See Engine.blockOf. */
  async of(user: string): Promise<Block | null> {
    const partition = this.#keys.partitionOf(user);
    const key = this.#keys.key(partition, 'BLOCK', user);
    const json = await this.#calls.of(partition).command<string | null>('get', [key]);
    if (json === null) return null;
    const block = JSON.parse(json) as Block;
    return block.expiresAtMs !== null && block.expiresAtMs <= Date.now() ? null : block;
  }

  /** See Engine.blocks. */
  async list(after: string, limit: number): Promise<BlockedUser[]> {
    const lists = await Promise.all(this.#keys.all().map((partition) => this.#listIn(partition, after, limit)));
    return lists
      .flat()
      .sort((a, b) => compareUtf8(a.user, b.user))
      .slice(0, limit);
  }

  async #listIn(partition: number, after: string, limit: number): Promise<BlockedUser[]> {
    const keys = [
      this.#keys.base(partition),
      this.#keys.key(partition, 'BLOCKED'),
      this.#keys.key(partition, 'BLOCKS_LISTED'),
    ];
    const call = { keys, args: [after === '' ? '-' : `(${after}`, limit] };
    let [isListed, ...found] = await this.#calls.of(partition).run<string[]>('list-blocks', call);
    if (isListed === '') {
      await this.#listEarlier(partition);
      [isListed, ...found] = await this.#calls.of(partition).run<string[]>('list-blocks', call);
    }
    const blocks: BlockedUser[] = [];
    for (let at = 0; at < found.length; at += 2) {
      blocks.push({ user: found[at]!, block: JSON.parse(found[at + 1]!) as Block });
    }
    return blocks;
  }

  /** Lists blocks that were set by a release without the list: once in the life of the data. */
  async #listEarlier(partition: number): Promise<void> {
    const link = this.#calls.of(partition);
    const prefix = this.#keys.key(partition, 'BLOCK');
    let cursor = '0';
    do {
      const args = [cursor, 'MATCH', `${escaped(prefix)}*`, 'COUNT', SCAN_COUNT];
      const [next, keys] = await link.command<[string, string[]]>('scan', args);
      const members = keys.flatMap((key) => [0, key.slice(prefix.length)]);
      if (members.length > 0) await link.command<number>('zadd', [this.#keys.key(partition, 'BLOCKED'), ...members]);
      cursor = next;
    } while (cursor !== '0');
    await link.command<string>('set', [this.#keys.key(partition, 'BLOCKS_LISTED'), '1']);
  }

  /** Takes away blocks and revocations whose time is over. Called with each lease refresh, works now and then. Never rejects. */
  async sweep(): Promise<void> {
    if (++this.#refreshes % SWEEP_EVERY > 0) return;
    try {
      for (const partition of this.#keys.all()) {
        let swept = BLOCKS_PER_CALL;
        while (swept === BLOCKS_PER_CALL) swept = await this.#sweepChunk(partition);
      }
    } catch (error) {
      this.#logger.debug('blocks that are over not taken away yet', { error: String(error) });
    }
  }

  #sweepChunk(partition: number): Promise<number> {
    const keys = [this.#keys.base(partition), this.#keys.key(partition, 'EXPIRIES')];
    return this.#calls.of(partition).run<number>('sweep', { keys, args: [BLOCKS_PER_CALL] });
  }

  async #restorePart(part: RestorePart): Promise<number> {
    const link = this.#calls.of(part.partition);
    const args = [link.server, this.#settings.inboxBytesMax, ...part.words];
    return link.run<number>('restore-blocks', { keys: [this.#keys.base(part.partition)], args });
  }

  *#parts(words: ReadonlyMap<string, BlockWord>): Iterable<RestorePart> {
    const open = new Map<number, (string | number)[]>();
    for (const [user, { topic, partition: kafkaPartition, offset, block }] of words) {
      const partition = this.#keys.partitionOf(user);
      const args = open.get(partition) ?? [];
      args.push(user, topic, kafkaPartition, offset, ...blockArgs(user, block));
      if (args.length < ARGS_PER_BLOCK * BLOCKS_PER_CALL) open.set(partition, args);
      else {
        open.delete(partition);
        yield { partition, words: args };
      }
    }
    for (const [partition, args] of open) yield { partition, words: args };
  }

  /** Mark in each partition: one of several servers may come back empty alone. */
  #mark(partition: number): string {
    return this.#keys.key(partition, 'BLOCKS_KNOWN');
  }
}

/** A key in a pattern of SCAN. */
function escaped(key: string): string {
  return key.replace(/[\\*?[\]^-]/g, '\\$&');
}

interface RestorePart {
  readonly partition: number;
  readonly words: readonly (string | number)[];
}

/**
 * Makes of a block the arguments that the scripts take: its JSON, the ms of its end, the command that closes the user's
 * connections.
 */
export function blockArgs(user: string, block: Block | null): (string | number)[] {
  if (block === null) return ['', '', ''];
  return [JSON.stringify(block), block.expiresAtMs ?? '', JSON.stringify(closeCommand(user, block))];
}

function closeCommand(user: string, block: Block): NodeCommand {
  return { command: 'close', user, close: closeReason('user_blocked', block.reason) };
}

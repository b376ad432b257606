import { closeReason, type Block, type BlockWord, type Logger, type NodeCommand } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import type { Settings } from './options.js';

/** Bound of one script run: everybody else waits for it. */
const BLOCKS_PER_CALL = 200;
const ARGS_PER_BLOCK = 7;
/** Lease refreshes between two sweeps. */
const SWEEP_EVERY = 60;

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

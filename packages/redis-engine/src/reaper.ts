import type { EngineStats, Logger, ShownLease } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import { nodeIdOf, rowOf } from './node-names.js';
import type { ReapedRow, RedisEngineOptions } from './options.js';

/** Rows taken away in one script run. */
const CHUNK_ROWS = 200;
/** Time in ms after which another reaper goes on when one has not finished. */
const CLAIM_MS = 5000;

/** Takes away what dead nodes left: presence rows, interests, inboxes. Every node runs one; a claim keeps them apart. */
export class Reaper {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #stats: EngineStats;
  readonly #logger: Logger;
  readonly #onReaped: ((rows: readonly ReapedRow[]) => void) | undefined;
  #running = false;

  constructor(
    { calls, keys }: { calls: Calls; keys: Keys },
    { stats, logger }: { stats: EngineStats; logger: Logger },
    { onReaped }: Pick<RedisEngineOptions, 'onReaped'>,
  ) {
    this.#calls = calls;
    this.#keys = keys;
    this.#stats = stats;
    this.#logger = logger;
    this.#onReaped = onReaped;
  }

  /** Reaps one dead node if there is any. Never rejects: what was not finished is claimed again later. */
  async run(dead: ShownLease | null): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      const keys = [this.#keys.key(0, 'NODES'), this.#keys.key(0, 'DEAD')];
      const args = [CLAIM_MS, dead?.node ?? '', dead?.score ?? ''];
      const node = await this.#calls.of(0).run<string>('claim-dead', { keys, args });
      if (node !== '') await this.#reapDead(node);
    } catch (error) {
      this.#logger.warn('dead node not reaped yet', { error: String(error) });
    } finally {
      this.#running = false;
    }
  }

  /** Takes away the rows of a node of this process, which has left or has a new name; nobody is told that they expired. */
  async clear(node: string): Promise<void> {
    for (let partition = 0; partition < this.#keys.partitions; partition++) {
      let more = true;
      while (more) ({ more } = await this.#reapChunk(node, partition));
    }
    await this.#calls.of(0).command<number>('zrem', [this.#keys.key(0, 'DEAD'), node]);
  }

  /** Ends the node's lease. It is reaped by whoever comes first after `claimMs`. */
  async retire(node: string, claimMs: number): Promise<void> {
    const keys = [this.#keys.key(0, 'NODES'), this.#keys.key(0, 'DEAD'), this.#keys.key(0, 'STATUS', node)];
    await this.#calls.of(0).run<number>('retire', { keys, args: [node, claimMs] });
  }

  /** A partition whose master is away keeps none of the others waiting; it is reaped with a later claim. */
  async #reapDead(node: string): Promise<void> {
    const reaped = await Promise.allSettled(this.#keys.all().map((partition) => this.#reapIn(partition, node)));
    const failed = reaped.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const count = reaped.reduce((sum, result) => sum + (result.status === 'fulfilled' ? result.value : 0), 0);
    await this.#calls.of(0).command<number>('zrem', [this.#keys.key(0, 'DEAD'), node]);
    this.#logger.warn('dead node reaped', { node: nodeIdOf(node), rows: count });
  }

  /** Returns the number of rows. */
  async #reapIn(partition: number, node: string): Promise<number> {
    let count = 0;
    for (;;) {
      const { more, rows } = await this.#reapChunk(node, partition);
      count += rows.length;
      this.#stats.presenceRowsReaped += rows.length;
      if (rows.length > 0) this.#onReaped?.(rows);
      if (!more) return count;
    }
  }

  async #reapChunk(node: string, partition: number): Promise<{ more: boolean; rows: ReapedRow[] }> {
    const keys = [
      this.#keys.base(partition),
      this.#keys.key(partition, 'SEQUENCE', node),
      this.#keys.key(partition, 'INBOX', node),
      this.#keys.key(partition, 'INBOX_ROOM', node),
      this.#keys.key(partition, 'NODE_CONNECTIONS', node),
      this.#keys.key(partition, 'NODE_INTERESTS', node),
    ];
    const args = [node, CHUNK_ROWS];
    const [more, ...reply] = await this.#calls.of(partition).run<[number, ...string[]]>('reap', { keys, args });
    const rows: ReapedRow[] = [];
    for (let at = 0; at < reply.length; at += 3) {
      rows.push({ ...rowOf(reply[at]!, reply[at + 2]!), user: reply[at + 1]! });
    }
    return { more: more === 1, rows };
  }
}

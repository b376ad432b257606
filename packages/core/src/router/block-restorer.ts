import { setTimeout as delay } from 'node:timers/promises';
import type { BlockWord, Engine } from '../engine.js';
import type { Logger } from '../logger.js';
import type { RecordSource, SourceRecord, TopicTroubleReason } from '../record-source.js';
import { RecordDecoder } from '../records/record-decoder.js';
import type { TopicPolicy } from '../topics.js';
import { Backoff } from '../backoff.js';

/** Time in ms between two looks whether the engine has lost its blocks. */
const CHECK_MS = 1000;

/** There is nothing to be read of such a topic. */
const ABSENT: ReadonlySet<TopicTroubleReason> = new Set(['missing', 'forbidden']);

interface BlockRestorerDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  readonly logger: Logger;
  readonly now: () => number;
}

export interface BlockRestorerOptions {
  readonly topics: readonly TopicPolicy[];
  readonly maxRecordBytes: number;
}

interface DatedWord extends BlockWord {
  readonly timestamp: number;
}

/**
 * Gives an engine that lost its data the blocks back, by reading the topics again that block users. Several routers may do
 * it at once: the engine keeps what is newer.
 */
export class BlockRestorer {
  readonly #deps: BlockRestorerDeps;
  readonly #options: BlockRestorerOptions;
  #restoring: Promise<void> | null = null;

  constructor(deps: BlockRestorerDeps, options: BlockRestorerOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Looks every second until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine } = this.#deps;
    if (!this.#options.topics.some(({ blocks }) => blocks)) return;
    while (!signal.aborted) {
      if (engine.healthy) await this.ensure(signal);
      await delay(CHECK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /**
   * Resolves when the engine knows the blocks, or the signal aborts. Before that no record of such a topic may be applied:
   * the engine takes what lies before an applied record for known.
   */
  async ensure(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        this.#restoring ??= this.#restoreUnknown().finally(() => (this.#restoring = null));
        await this.#restoring;
        return;
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        this.#deps.logger[level]('blocks cannot be read again yet', { error: String(error) });
        await backoff.wait(signal);
      }
    }
  }

  async #restoreUnknown(): Promise<void> {
    if (!(await this.#deps.engine.blocksKnown())) await this.#restore();
  }

  async #restore(): Promise<void> {
    const { engine, source, logger } = this.#deps;
    const blocking = this.#options.topics.filter(({ blocks }) => blocks);
    const words = new Map<string, DatedWord>();
    for (const policy of blocking) {
      if (source.status.troubles.some(({ topic, reason }) => topic === policy.kafkaTopic && ABSENT.has(reason)))
        continue;
      // The records of blocks are read without a schema registry; its format is checked with the configuration.
      const decoder = new RecordDecoder(policy, null);
      const take = (partition: number, records: readonly SourceRecord[]): void =>
        this.#take(words, decoder, { topic: policy.kafkaTopic, partition, records });
      await source.readAgain(policy.kafkaTopic, take);
    }
    const restored = await engine.restoreBlocks(words);
    logger.info('blocks read again', { users: words.size, restored });
  }

  #take(
    words: Map<string, DatedWord>,
    decoder: RecordDecoder,
    { topic, partition, records }: { topic: string; partition: number; records: readonly SourceRecord[] },
  ): void {
    const { maxRecordBytes } = this.#options;
    const context = { partition, nowMs: this.#deps.now(), maxRecordBytes, roomRetention: null };
    for (const record of records) {
      const decoded = decoder.decode(record, context);
      if (decoded.kind !== 'items') continue;
      for (const item of decoded.items) {
        if (item.kind !== 'block') continue;
        const known = words.get(item.user);
        // Of another partition, since the topic got more of them: the later record is the last word.
        if (known !== undefined && known.partition !== partition && known.timestamp > record.timestamp) continue;
        const { offset, timestamp } = record;
        words.set(item.user, { topic, partition, offset, block: item.block, timestamp });
      }
    }
  }
}

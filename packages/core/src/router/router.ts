import { endByDefect } from '../defects.js';
import type { Engine } from '../engine.js';
import type { Logger } from '../logger.js';
import type {
  AssignedPartition,
  PartitionOffset,
  RecordSink,
  RecordSource,
  RecordWriter,
  SourceRecord,
} from '../record-source.js';
import { rejectionCodes } from '../records/decoded.js';
import { RecordDecoder } from '../records/record-decoder.js';
import type { SchemaReader } from '../records/schema-reader.js';
import { LabelCounter, type RouterStats } from '../stats.js';
import type { Retention } from '../streams.js';
import type { TopicPolicy } from '../topics.js';
import { Backoff } from './backoff.js';
import { BlockRestorer } from './block-restorer.js';
import { DeadLetterWriter } from './dead-letter-writer.js';
import type { EngineProgress } from './isolation.js';
import { PartitionLane } from './partition-lane.js';
import { LoopTurns } from './loop-turns.js';

export interface RouterDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  /** For dead letters. */
  readonly writer: RecordWriter;
  /** Needed by topics whose format is described by a schema registry. */
  readonly schemas?: SchemaReader | null;
  readonly stats: RouterStats;
  readonly logger: Logger;
  /** ms since the epoch. Default Date.now. */
  readonly clock?: () => number;
}

export interface RouterOptions {
  readonly topics: readonly TopicPolicy[];
  readonly groupId: string;
  /** '': `<group>-dlq`. */
  readonly deadLetterTopic: string;
  readonly maxRecordBytes: number;
  readonly roomRetention: Retention | null;
  readonly perUserStats: boolean;
  /** Size of one engine call: 128 records or 128 KiB. */
  readonly chunkRecords?: number;
  readonly chunkBytes?: number;
  /** Held unsettled per partition, beyond which it is paused: 4 MiB. One fetch may come on top. */
  readonly laneQueueBytes?: number;
  /** 200 ms. */
  readonly commitIntervalMs?: number;
  /** How long revoked partitions wait for calls under way: 3 s. */
  readonly revokeTimeoutMs?: number;
}

const defaults = {
  chunkRecords: 128,
  chunkBytes: 128 * 1024,
  laneQueueBytes: 4 * 1024 * 1024,
  commitIntervalMs: 200,
  revokeTimeoutMs: 3000,
} as const;

/**
 * From Kafka's records to the engine: one lane a partition, in order inside a lane, lanes side by side. A record counts
 * as done when the engine has it, or it is written to the dead letters, or it has expired; only over a contiguous run of
 * such records is the offset committed. So each record is tried at least once, and the engine, which knows source
 * offsets, makes it exactly once into its stream. Nothing that happens to the engine or the writer ends the router: its
 * lanes wait.
 */
export class Router implements RecordSink {
  readonly #deps: RouterDeps;
  readonly #options: RouterOptions & typeof defaults;
  /** By Kafka topic. */
  readonly #topics: ReadonlyMap<string, { readonly policy: TopicPolicy; readonly decoder: RecordDecoder }>;
  readonly #deadLetters: DeadLetterWriter;
  readonly #blocks: BlockRestorer;
  readonly #stopping = new AbortController();
  readonly #turns = new LoopTurns();
  readonly #progress: EngineProgress = { accepted: 0 };
  readonly #lanes = new Map<string, PartitionLane>();
  /** What is committed of each lane of this member. */
  readonly #committed = new WeakMap<PartitionLane, number>();
  /** The commit under way: they are made one at a time, so that an older one never lands last. */
  #committing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(deps: RouterDeps, options: RouterOptions) {
    this.#deps = deps;
    this.#options = { ...defaults, ...options } as RouterOptions & typeof defaults;
    this.#topics = new Map(
      options.topics.map((policy) => [
        policy.kafkaTopic,
        { policy, decoder: new RecordDecoder(policy, deps.schemas ?? null) },
      ]),
    );
    const { source, engine, stats, logger, clock = Date.now } = deps;
    for (const { name } of options.topics) {
      stats.messagesProcessed.add(name, 0);
      stats.expired.add(name, 0);
      stats.skipped.add(name, 0);
      stats.deadLetters.set(name, LabelCounter.of(rejectionCodes));
    }
    this.#blocks = new BlockRestorer({ source, engine, logger, now: clock }, options);
    this.#deadLetters = new DeadLetterWriter(deps, options.deadLetterTopic || `${options.groupId}-dlq`);
  }

  /** Resolves when the driver is running. */
  async start(): Promise<void> {
    let running = false;
    this.#timer = setInterval(() => {
      // A commit that hangs must not make a queue of commits.
      if (running) return;
      running = true;
      this.#commit([...this.#lanes.values()])
        .finally(() => {
          running = false;
        })
        .catch(endByDefect);
    }, this.#options.commitIntervalMs);
    await this.#deps.source.start(this);
    this.#blocks.run(this.#stopping.signal).catch(endByDefect);
  }

  /** Stops reading and waits until all that was read is settled and committed, or the signal aborts. */
  async drain(signal: AbortSignal): Promise<void> {
    const lanes = [...this.#lanes.values()];
    await Promise.all(lanes.map((lane) => lane.drain(signal)));
    await this.#commit(lanes);
  }

  /** Drains as long as the signal allows, then leaves the group. What was not settled another member reads again. */
  async stop(signal: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.drain(signal);
    await this.#drop([...this.#lanes.values()]);
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#deps.source.stop();
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#open(partition)));
  }

  async revoked(partitions: readonly { topic: string; partition: number }[]): Promise<void> {
    const lanes = partitions.map(({ topic, partition }) => this.#lanes.get(laneKey(topic, partition)));
    await this.#drop(lanes.filter((lane) => lane !== undefined));
  }

  records(topic: string, partition: number, records: readonly SourceRecord[], endOffset: number): void {
    const lane = this.#lanes.get(laneKey(topic, partition));
    if (lane === undefined) {
      this.#deps.logger.debug('records of a partition that is not ours', { topic, partition });
    } else if (lane.hasForeignPast(endOffset)) {
      this.#reopen({ topic, partition, offset: records[0]?.offset ?? endOffset, endOffset }, records);
    } else {
      lane.push(records, endOffset);
    }
  }

  /** The lane is there at once, so that records that come early find it; it begins to work when the engine knows of it. */
  async #open(assigned: AssignedPartition): Promise<void> {
    const { topic, partition, offset, endOffset } = assigned;
    const configured = this.#topics.get(topic);
    if (configured === undefined) {
      this.#deps.logger.error('assigned a topic that is not configured', { topic, partition });
      return;
    }
    const previous = this.#lanes.get(laneKey(topic, partition));
    const { source, engine, stats, logger, clock = Date.now } = this.#deps;
    const { policy, decoder } = configured;
    const deps = { source, engine, stats, logger, decoder, deadLetters: this.#deadLetters, turns: this.#turns };
    const lane = new PartitionLane(
      { ...deps, progress: this.#progress, now: clock },
      { ...this.#options, policy, partition, offset, endOffset },
    );
    this.#lanes.set(laneKey(topic, partition), lane);
    // Assigned twice without being revoked: the driver starts over from what was committed, and so does the lane. The
    // pause of the lane before would outlive it; lifted at once, as the new lane may have reason to pause any moment.
    source.resume(topic, partition);
    await previous?.close(AbortSignal.timeout(this.#options.revokeTimeoutMs));
    await this.#claim(lane, endOffset);
    // Never rejects: a lane deals with all failures itself.
    lane.run().catch(endByDefect);
  }

  #reopen(assigned: AssignedPartition, records: readonly SourceRecord[]): void {
    const { topic, partition, endOffset } = assigned;
    this.#deps.logger.warn('the topic was made anew, its partition starts over', { topic, partition, endOffset });
    this.#open(assigned).catch(endByDefect);
    this.#lanes.get(laneKey(topic, partition))?.push(records, endOffset);
  }

  /** Asks until the engine answers, or the lane is closed. */
  async #claim(lane: PartitionLane, endOffset: number): Promise<void> {
    const { engine, logger } = this.#deps;
    const fields = { topic: lane.kafkaTopic, partition: lane.partition, endOffset };
    const backoff = new Backoff();
    while (!lane.closed.aborted) {
      try {
        const { reset } = await engine.claimSource(lane.kafkaTopic, lane.partition, endOffset);
        if (reset) logger.warn('remembered position lay beyond the partition, starting over', fields);
        return;
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        logger[level]('engine call failed, will be tried again', { ...fields, error: String(error) });
        await backoff.wait(lane.closed);
      }
    }
  }

  /** Waits, bounded, for the calls under way, so that what they settle can still be committed. */
  async #drop(lanes: readonly PartitionLane[]): Promise<void> {
    const signal = AbortSignal.timeout(this.#options.revokeTimeoutMs);
    await Promise.all(lanes.map((lane) => lane.close(signal)));
    for (const lane of lanes) {
      const key = laneKey(lane.kafkaTopic, lane.partition);
      if (this.#lanes.get(key) === lane) this.#lanes.delete(key);
    }
    await this.#commit(lanes);
  }

  /** Commits what moved since the last time. A failure is no harm: the next commit says the same and more. */
  async #commit(lanes: readonly PartitionLane[]): Promise<void> {
    this.#committing = this.#committing.then(() => this.#commitNow(lanes));
    await this.#committing;
  }

  async #commitNow(lanes: readonly PartitionLane[]): Promise<void> {
    const moved = new Map<PartitionLane, PartitionOffset>();
    for (const lane of lanes) {
      const { position } = lane;
      if (position === null || position === this.#committed.get(lane)) continue;
      moved.set(lane, { topic: lane.kafkaTopic, partition: lane.partition, offset: position });
    }
    if (moved.size === 0) return;
    try {
      await this.#deps.source.commit([...moved.values()]);
      for (const [lane, { offset }] of moved) this.#committed.set(lane, offset);
    } catch (error) {
      this.#deps.stats.kafkaErrors.add('commit');
      this.#deps.logger.warn('offsets not committed, will be tried again', { error: String(error) });
    }
  }
}

function laneKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

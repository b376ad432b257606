import { endByDefect } from '../defects.js';
import type { Engine } from '../engine.js';
import type { SourcePosition } from '../source-position.js';
import type { Logger } from '../logger.js';
import type {
  AssignedPartition,
  CommittedOffset,
  ReadUpTo,
  RecordSink,
  RecordSource,
  RecordWriter,
  SourceRecord,
  TopicSight,
} from '../record-source.js';
import { rejectionCodes } from '../records/decoded.js';
import { RecordDecoder } from '../records/record-decoder.js';
import type { SchemaReader } from '../records/schema-reader.js';
import { LabelCounter, type RouterStats } from '../stats.js';
import type { Retention } from '../streams.js';
import type { TopicPolicy } from '../topics.js';
import type { SpanSink } from '../spans/span.js';
import { nothingTraced, type Tracing } from '../trace/tracing.js';
import { AppliedPast } from './applied-past.js';
import { Backoff } from '../backoff.js';
import { BlockRestorer } from './block-restorer.js';
import type { ChunkLimits } from './chunk.js';
import { formatCommitNote, parseCommitNote } from './commit-note.js';
import { DeadLetterWriter } from './dead-letter-writer.js';
import type { EngineProgress } from './isolation.js';
import { GroupWatch } from './group-watch.js';
import { PartitionLane, type PartitionLaneOptions } from './partition-lane.js';
import { PartitionOpener } from './partition-opener.js';
import { LoopTurns } from './loop-turns.js';

export interface RouterDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  /** Writer of dead letters. */
  readonly writer: RecordWriter;
  /** Needed by topics whose format is described by a schema registry. */
  readonly schemas?: SchemaReader | null;
  readonly stats: RouterStats;
  readonly logger: Logger;
  /** Absent: nothing is traced. */
  readonly tracing?: Tracing;
  /** Taker of spans; absent: none are wanted. */
  readonly spans?: SpanSink | null;
  /** Clock in ms since the epoch. Default Date.now. */
  readonly clock?: () => number;
  /** Clock in ms that nobody sets. Default performance.now. */
  readonly monotonicMs?: () => number;
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
  /** Time in ms that revoked partitions wait for calls under way: 3 s. */
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
  /** Topics by the name of their Kafka topic. */
  readonly #topics: ReadonlyMap<string, { readonly policy: TopicPolicy; readonly decoder: RecordDecoder }>;
  readonly #deadLetters: DeadLetterWriter;
  readonly #blocks: BlockRestorer;
  readonly #watch: GroupWatch;
  readonly #stopping = new AbortController();
  readonly #turns = new LoopTurns();
  readonly #progress: EngineProgress = { accepted: 0 };
  readonly #opener: PartitionOpener;
  readonly #lanes = new Map<string, PartitionLane>();
  /** Partitions that are ours and not open yet. */
  readonly #opening = new Map<string, AbortController>();
  /** Lanes that are looked at because the store may have lost something. */
  readonly #checking = new WeakSet<PartitionLane>();
  /** Offset that is committed of each lane of this member. */
  readonly #committed = new WeakMap<PartitionLane, string>();
  /** The commit under way: they are made one at a time, so that an older one never lands last. */
  #committing: Promise<void> = Promise.resolve();
  #watching: Promise<void> = Promise.resolve();
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
    this.#opener = new PartitionOpener(deps);
    this.#watch = new GroupWatch(deps, options.groupId);
    this.#blocks = new BlockRestorer({ source, engine, logger, now: clock }, options);
    const { groupId, deadLetterTopic } = options;
    this.#deadLetters = new DeadLetterWriter(deps, { topic: deadLetterTopic || `${groupId}-dlq`, groupId });
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
      this.#checkStore();
    }, this.#options.commitIntervalMs);
    // Not when the source runs: it may have to wait for a member that died.
    this.#watching = this.#watch.run(this.#stopping.signal);
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
    for (const opening of this.#opening.values()) opening.abort();
    await this.#drop([...this.#lanes.values()]);
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#watching;
    await this.#deps.source.stop();
    await this.#watch.end();
  }

  joining(): Promise<void> {
    return this.#watch.show(this.#stopping.signal);
  }

  async assigned(partitions: readonly AssignedPartition[]): Promise<void> {
    await Promise.all(partitions.map((partition) => this.#open(partition)));
  }

  async revoked(partitions: readonly { topic: string; partition: number }[]): Promise<void> {
    for (const { topic, partition } of partitions) this.#opening.get(laneKey(topic, partition))?.abort();
    const lanes = partitions.map(({ topic, partition }) => this.#lanes.get(laneKey(topic, partition)));
    await this.#drop(lanes.filter((lane) => lane !== undefined));
  }

  records(topic: string, partition: number, records: readonly SourceRecord[], upTo: ReadUpTo): void {
    const lane = this.#lanes.get(laneKey(topic, partition));
    // The driver may have begun where this router won't: it is told by `seek` when that is decided.
    if (lane === undefined) this.#deps.logger.debug('records of a partition that is not open', { topic, partition });
    else lane.push(records, upTo);
  }

  sighted(sights: readonly TopicSight[]): Promise<readonly TopicSight[]> {
    return this.#deps.engine.noteTopics(this.#options.groupId, sights);
  }

  async #open(assigned: AssignedPartition): Promise<void> {
    const { topic, partition } = assigned;
    const policy = this.#topics.get(topic)?.policy;
    if (policy === undefined) {
      this.#deps.logger.error('assigned a topic that is not configured', { topic, partition });
      return;
    }
    const key = laneKey(topic, partition);
    const previous = this.#lanes.get(key);
    this.#opening.get(key)?.abort();
    const opening = new AbortController();
    this.#opening.set(key, opening);
    this.#deps.source.pause(topic, partition);
    // Assigned twice without being revoked: the driver starts over from what was committed, and so does the lane.
    if (previous !== undefined) await this.#drop([previous]);
    if (policy.blocks) await this.#blocks.ensure(opening.signal);
    const start = await this.#opener.open(assigned, opening.signal);
    if (start === null || opening.signal.aborted) return;
    this.#opening.delete(key);
    const { source, offset, minuteBefore, repeatedBefore, store } = start;
    const past = new AppliedPast(minuteBefore);
    const { endOffset, log, cluster } = assigned;
    const place = { policy, partition, source, log, cluster };
    const lane = this.#createLane({ ...place, offset, endOffset, repeatedBefore, store, past });
    if (assigned.committed?.offset === offset) this.#committed.set(lane, commitState(assigned.committed));
    this.#begin(lane, offset);
  }

  #createLane(options: Omit<PartitionLaneOptions, keyof ChunkLimits | 'laneQueueBytes'>): PartitionLane {
    const { source, engine, stats, logger, tracing = nothingTraced, spans = null, clock = Date.now } = this.#deps;
    const { decoder } = this.#topics.get(options.policy.kafkaTopic)!;
    const deps = {
      source,
      engine,
      stats,
      logger,
      tracing,
      spans,
      decoder,
      deadLetters: this.#deadLetters,
      turns: this.#turns,
    };
    return new PartitionLane(
      { ...deps, progress: this.#progress, now: clock, onGap: (lane) => this.#repeatLost(lane) },
      { ...this.#options, ...options },
    );
  }

  #begin(lane: PartitionLane, offset: number): void {
    const { source } = this.#deps;
    this.#lanes.set(laneKey(lane.kafkaTopic, lane.partition), lane);
    source.seek(lane.kafkaTopic, lane.partition, offset);
    // The pause of a lane before would outlive it.
    source.resume(lane.kafkaTopic, lane.partition);
    // Never rejects: a lane deals with all failures itself.
    lane.run().catch(endByDefect);
  }

  /**
   * Reads again what the store was given and does not have any more, if there is anything: then the lane is closed, and
   * another one stands in its place when this resolves.
   */
  async #repeatLost(lane: PartitionLane): Promise<void> {
    const { engine, logger } = this.#deps;
    const { kafkaTopic: topic, partition } = lane;
    const backoff = new Backoff();
    while (!lane.closed.aborted) {
      try {
        const { store } = engine;
        const seen = await engine.sourcePositions(lane.origin.source, partition);
        if (lane.closed.aborted) return;
        const lost = seen.filter(({ offset, confirmed }) => offset < confirmed);
        if (lost.length > 0) await this.#repeatFrom(lane, { seen, lost, store });
        else {
          await engine.claimSource(lane.origin.source, partition, { seen, forget: false });
          lane.store = store;
        }
        return;
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        logger[level]('positions not known yet', { topic, partition, error: String(error) });
        await backoff.wait(lane.closed);
      }
    }
  }

  async #repeatFrom(
    lane: PartitionLane,
    rows: { seen: readonly SourcePosition[]; lost: readonly SourcePosition[]; store: string },
  ): Promise<void> {
    const { engine, source, logger } = this.#deps;
    const { kafkaTopic: topic, partition, nextOffset: repeatedBefore, endOffset, past } = lane;
    const { seen, lost, store } = rows;
    // Where a part of the store came back without its row, the last minute is what it may not have saved.
    const from = lost.map((row) => (row.offset >= 0 ? row.offset + 1 : past.minuteAgo));
    const offset = Math.min(repeatedBefore, ...from);
    logger.warn('the store lost records that it had confirmed, reading them again', {
      topic,
      partition,
      offset,
      confirmed: lost.map(({ confirmed }) => confirmed),
    });
    past.goBack(offset);
    source.pause(topic, partition);
    await lane.close(AbortSignal.timeout(this.#options.revokeTimeoutMs));
    // The lane is closed: should this fail for good, nobody would read the partition.
    await this.#insist(lane, () => engine.claimSource(lane.origin.source, partition, { seen, forget: false }));
    const { policy } = this.#topics.get(topic)!;
    if (policy.blocks) await this.#blocks.ensure(this.#stopping.signal);
    // Taken away meanwhile.
    if (!this.#isOpen(lane) || this.#stopping.signal.aborted) return;
    this.#begin(this.#createLane({ ...lane.origin, offset, endOffset, repeatedBefore, store, past }), offset);
  }

  /** Tells whether the partition is still this lane's. */
  #isOpen(lane: PartitionLane): boolean {
    return this.#lanes.get(laneKey(lane.kafkaTopic, lane.partition)) === lane;
  }

  /** Repeats a step until it succeeds, or the partition is taken away, or the router stops. */
  async #insist(lane: PartitionLane, step: () => Promise<unknown>): Promise<void> {
    const { kafkaTopic: topic, partition } = lane;
    const backoff = new Backoff();
    while (this.#isOpen(lane) && !this.#stopping.signal.aborted) {
      try {
        await step();
        return;
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        this.#deps.logger[level]('partition cannot be opened again yet', { topic, partition, error: String(error) });
        await backoff.wait(this.#stopping.signal);
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
    const moved = new Map<PartitionLane, { readonly state: string; readonly commit: CommittedOffset }>();
    const { monotonicMs = () => performance.now() } = this.#deps;
    for (const lane of lanes) {
      const { position: offset, kafkaTopic: topic, partition, store, past } = lane;
      const { log } = lane.origin;
      past.note(monotonicMs(), offset);
      const note = formatCommitNote({ log, store, minuteBefore: past.minuteAgo, begins: null });
      const commit = { topic, partition, offset, note };
      const state = commitState(commit);
      if (state !== this.#committed.get(lane)) moved.set(lane, { state, commit });
    }
    if (moved.size === 0) return;
    try {
      await this.#deps.source.commit([...moved.values()].map(({ commit }) => commit));
      for (const [lane, { state }] of moved) this.#committed.set(lane, state);
    } catch (error) {
      this.#deps.stats.kafkaErrors.add('commit');
      this.#deps.logger.warn('offsets not committed, will be tried again', { error: String(error) });
    }
  }

  /** Another process answers for the store, or other data: a lane with nothing to publish would not notice. */
  #checkStore(): void {
    const { engine } = this.#deps;
    if (!engine.healthy) return;
    for (const lane of this.#lanes.values()) {
      if (lane.store === engine.store || this.#checking.has(lane)) continue;
      this.#checking.add(lane);
      this.#repeatLost(lane)
        .finally(() => this.#checking.delete(lane))
        .catch(endByDefect);
    }
  }
}

function laneKey(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}

/**
 * What makes a commit worth another one. When a partition has rested for a minute that is told: nobody shall read again
 * then what came before.
 */
function commitState(committed: CommittedOffset): string {
  const { log, store, minuteBefore } = parseCommitNote(committed);
  return `${committed.offset} ${log} ${store} ${minuteBefore === committed.offset ? 'rests' : ''}`;
}

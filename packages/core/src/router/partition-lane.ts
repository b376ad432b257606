import { endByDefect } from '../defects.js';
import type { Engine, PublishResult } from '../engine.js';
import type { Logger } from '../logger.js';
import type { ReadUpTo, RecordSource, SourceRecord } from '../record-source.js';
import type { RecordDecoder } from '../records/record-decoder.js';
import type { RouterStats } from '../stats.js';
import { fineNowMs } from '../fine-clock.js';
import type { SpanSink } from '../spans/span.js';
import type { Tracing } from '../trace/tracing.js';
import type { AppliedPast } from './applied-past.js';
import { Backoff } from '../backoff.js';
import { ChangeSignal } from './change-signal.js';
import { ChunkDecoder, isTurnsWork, type Chunk, type ChunkLimits } from './chunk.js';
import type { DeadLetterWriter, DeadLetter } from './dead-letter-writer.js';
import { Isolation, isGap, isRefusal, type EngineProgress, type IsolationWork } from './isolation.js';
import { LastBlocks } from './last-blocks.js';
import { markOf } from './log-identity.js';
import type { LoopTurns } from './loop-turns.js';
import { OffsetTracker } from './offset-tracker.js';
import type { PartitionOrigin } from './partition-opener.js';
import { RecordQueue } from './record-queue.js';

/** Number of calls in flight: two hide the round trip; more would only lengthen what is repeated after a failure. */
const IN_FLIGHT_MAX = 2;

/** Chunks whose dead letters are being written. While the writer cannot be reached, the partition waits behind them. */
const WRITING_MAX = 4;

/** How long blocks wait for those behind them: the end may be a transaction that stays open. */
const LOOK_AHEAD_MS = 5000;

export interface PartitionLaneDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  readonly deadLetters: DeadLetterWriter;
  readonly stats: RouterStats;
  /** Decoder of the topic; its lanes share it. */
  readonly decoder: RecordDecoder;
  readonly logger: Logger;
  readonly tracing: Tracing;
  /** See ChunkDecoderDeps. */
  readonly spans: SpanSink | null;
  readonly turns: LoopTurns;
  /** Shared by all lanes of the router. */
  readonly progress: EngineProgress;
  readonly now: () => number;
  /** The engine lacks what it had before: resolves when the lane may go on, or is closed because another one reads it again. */
  readonly onGap: (lane: PartitionLane) => Promise<void>;
}

export interface PartitionLaneOptions extends ChunkLimits, PartitionOrigin {
  /** Where it begins. */
  readonly offset: number;
  /** See PartitionStart. */
  readonly repeatedBefore: number;
  readonly store: string;
  readonly past: AppliedPast;
  /** See AssignedPartition. */
  readonly endOffset: number;
  /** Records held unsettled; reached, the partition is paused until half of it is settled. */
  readonly laneQueueBytes: number;
}

/**
 * Takes the records of one partition to the engine, strictly in order. A record that cannot be used becomes a dead letter
 * beside the way; an engine or a writer that cannot be reached makes the lane wait, and the partition with it once the
 * lane holds `laneQueueBytes`.
 */
export class PartitionLane {
  readonly #deps: PartitionLaneDeps;
  readonly #options: PartitionLaneOptions;
  readonly #decoder: ChunkDecoder;
  readonly #isolation: Isolation;
  /** Of records that were there when the lane began, in a topic that blocks users. */
  readonly #lastBlocks: LastBlocks | null;
  /** Waits for all of these before the first is applied. */
  #looksAhead: boolean;
  readonly #queue = new RecordQueue();
  /** Chunks taken from the queue, from the first unsettled one on. */
  readonly #chunks: Chunk[] = [];
  readonly #tracker = new OffsetTracker();
  readonly #changes = new ChangeSignal();
  readonly #closing = new AbortController();
  readonly #backoff = new Backoff();
  #inFlight = 0;
  /** Error of the first call that failed; no other call is made until it was dealt with. */
  #failure: unknown = null;
  /** Dead letters being written. */
  #writing = 0;
  #previousOffset = -1;
  /** Bytes of everything handed over, from the first unsettled record on. */
  #unsettledBytes = 0;
  #paused = false;
  #draining = false;
  /** First offset of everything handed over. */
  #lastOffset = -1;
  /** Behind all that was handed over, and what the log holds besides. */
  #nextOffset: number;
  #endOffset: number;
  /** Engine.store, for which all that the lane has settled is known to be there. */
  store: string;

  constructor(deps: PartitionLaneDeps, options: PartitionLaneOptions) {
    this.#deps = deps;
    this.#options = options;
    this.store = options.store;
    this.#nextOffset = options.offset;
    this.#lastOffset = options.offset - 1;
    this.#endOffset = options.endOffset;
    const isBehind = options.policy.blocks && options.offset < options.endOffset;
    this.#lastBlocks = isBehind ? new LastBlocks(deps.decoder) : null;
    this.#looksAhead = isBehind;
    if (isBehind) setTimeout(() => this.#lookAheadNoMore(), LOOK_AHEAD_MS).unref();
    this.#decoder = new ChunkDecoder({ ...deps, readable: () => this.#changes.notify() }, options, options);
    this.#isolation = new Isolation(deps, options);
  }

  get kafkaTopic(): string {
    return this.#options.policy.kafkaTopic;
  }

  get partition(): number {
    return this.#options.partition;
  }

  /** Offset to commit: all before it is settled. */
  get position(): number {
    const settled = this.#tracker.position ?? this.#options.offset;
    return this.isIdle ? Math.max(settled, this.#nextOffset) : settled;
  }

  /** Behind everything that was handed over. */
  get nextOffset(): number {
    return Math.max(this.#nextOffset, this.#lastOffset + 1);
  }

  get past(): AppliedPast {
    return this.#options.past;
  }

  get origin(): PartitionOrigin {
    return this.#options;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  /** True when everything handed over is settled. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#chunks.length === 0;
  }

  /** Aborts when the lane is closed: what waits for the engine on the lane's behalf gives up then. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Records that were handed over before (the driver went back) are left out. */
  push(records: readonly SourceRecord[], { nextOffset, endOffset }: ReadUpTo): void {
    if (this.closed.aborted) return;
    this.#endOffset = endOffset;
    this.#nextOffset = Math.max(this.#nextOffset, nextOffset);
    const fresh =
      (records[0]?.offset ?? 0) > this.#lastOffset ? records : records.filter((r) => r.offset > this.#lastOffset);
    const last = fresh.at(-1);
    if (last !== undefined) {
      this.#noteBlocks(fresh);
      const bytesBefore = this.#queue.bytes;
      this.#queue.push(fresh);
      this.#unsettledBytes += this.#queue.bytes - bytesBefore;
      if (!this.#paused && this.#unsettledBytes >= this.#options.laneQueueBytes) this.#pause();
      this.#lastOffset = last.offset;
    }
    this.#changes.notify();
    this.#reportLag();
  }

  /** Begins to work. */
  async run(): Promise<void> {
    this.#reportLag();
    while (!this.closed.aborted) {
      if (this.#failure !== null) await this.#recover();
      else if (this.#inFlight < IN_FLIGHT_MAX && this.#hasWork()) await this.#step();
      else await this.#changes.changed();
    }
  }

  /**
   * Asks for no more records, for good. Resolves when everything handed over is settled, or the lane is closed, or the
   * signal aborts.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#pause();
    await this.#until(() => this.isIdle || this.closed.aborted, signal);
  }

  /** Takes nothing more. Resolves when no call of this lane is under way, or the signal aborts. */
  async close(signal: AbortSignal): Promise<void> {
    this.#closing.abort();
    // What is let go here must not count as settled when the calls under way are.
    if (this.#queue.length > 0) this.#nextOffset = this.#options.offset;
    this.#queue.clear();
    this.#changes.notify();
    await this.#until(() => this.#inFlight + this.#writing === 0, signal);
    this.#deps.stats.lag.get(this.#options.policy.name)?.delete(this.partition);
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#changes.notify();
    signal.addEventListener('abort', wake);
    while (!condition() && !signal.aborted) await this.#changes.changed();
    signal.removeEventListener('abort', wake);
  }

  #pause(): void {
    this.#paused = true;
    this.#deps.source.pause(this.kafkaTopic, this.partition);
  }

  /** What was there of blocks when the lane began waits until it is known what became of each. */
  #noteBlocks(records: readonly SourceRecord[]): void {
    const { endOffset, partition } = this.#options;
    if (this.#lastBlocks === null || records[0]!.offset >= endOffset) return;
    this.#lastBlocks.note(records, { ...this.#options, partition, nowMs: this.#deps.now() });
  }

  #lookAheadNoMore(): void {
    this.#looksAhead = false;
    this.#changes.notify();
  }

  #hasWork(): boolean {
    if (this.#readyChunk() !== undefined) return true;
    if (this.#looksAhead && this.#nextOffset < this.#options.endOffset && !this.#paused) return false;
    return this.#queue.length > 0 && !this.#decoder.waiting && this.#writing < WRITING_MAX;
  }

  async #step(): Promise<void> {
    await this.#deps.turns.next(() => this.#shareOfTurn());
    if (this.closed.aborted || this.#failure !== null) return;
    const waiting = this.#readyChunk();
    const chunk = waiting ?? this.#takeChunk();
    if (chunk?.state !== 'ready' || (waiting === undefined && isTurnsWork(chunk))) return;
    this.#publish(chunk).catch(endByDefect);
  }

  /** Share of a full chunk that the next one will be. */
  #shareOfTurn(): number {
    const { chunkRecords, chunkBytes } = this.#options;
    const waiting = Math.max(this.#queue.length / chunkRecords, this.#queue.bytes / chunkBytes);
    return this.#readyChunk() === undefined ? Math.min(1, waiting) : 1;
  }

  #readyChunk(): Chunk | undefined {
    return this.#chunks.find(({ state }) => state === 'ready');
  }

  #takeChunk(): Chunk | null {
    const taken = this.#decoder.take(this.#queue);
    if (taken === null) return null;
    const { chunk, deadLetters } = taken;
    this.#tracker.track(chunk.lastOffset);
    this.#chunks.push(chunk);
    if (deadLetters.length > 0) this.#writeLetters(chunk, deadLetters).catch(endByDefect);
    if (chunk.open === 0) this.#settle(chunk);
    return chunk;
  }

  /** Publishes a chunk; never rejects: how it went is in the chunk's state and in #failure. */
  async #publish(chunk: Chunk): Promise<void> {
    const source = {
      topic: this.#options.source,
      partition: this.partition,
      previousOffset: this.#previousOffset,
      lastOffset: chunk.lastOffset,
      mark: markOf(chunk.records.at(-1)!, this.#options),
      repeated: chunk.tried || chunk.records[0]!.offset < this.#options.repeatedBefore,
    };
    this.#previousOffset = chunk.lastOffset;
    chunk.tried = true;
    chunk.state = 'in_flight';
    this.#inFlight++;
    const startMs = chunk.spans === null ? 0 : fineNowMs();
    let result: PublishResult | null = null;
    try {
      result = await this.#deps.engine.publish({ source, items: this.#lastBlocks?.apply(chunk.items) ?? chunk.items });
    } catch (error) {
      chunk.state = 'ready';
      this.#failure ??= error;
    }
    this.#inFlight--;
    if (result !== null) {
      this.#count(result);
      chunk.spans?.routed(startMs);
      this.#backoff.reset();
      this.#applied(chunk);
    }
    this.#changes.notify();
  }

  #count(result: PublishResult): void {
    const { stats, progress } = this.#deps;
    progress.accepted++;
    stats.routed += result.routed;
    stats.offline += result.offline;
    stats.duplicates += result.duplicates;
  }

  #applied(chunk: Chunk): void {
    chunk.state = 'applied';
    this.#partDone(chunk);
  }

  /**
   * Starts over with the first chunk that was not applied. `previousOffset` -1 tells the engine not to expect the call
   * before; what it did apply of a call with unknown outcome, it recognises by the source offset. A store that lacks what
   * it confirmed before refuses that, too: then what it lost is read again.
   */
  async #recover(): Promise<void> {
    while (this.#inFlight > 0 && !this.closed.aborted) await this.#changes.changed();
    const failure = this.#failure;
    this.#failure = null;
    this.#previousOffset = -1;
    const fields = { topic: this.kafkaTopic, partition: this.partition, error: String(failure) };
    if (isRefusal(failure)) {
      this.#deps.logger.error('engine refused a batch, trying its records one by one', fields);
      await this.#isolate();
    } else if (isGap(failure)) {
      await this.#deps.onGap(this);
      if (this.closed.aborted) return;
      await this.#backoff.wait(this.closed);
    } else {
      // Once an outage is enough: each lane comes by here every second.
      this.#deps.logger[this.#backoff.isFresh ? 'warn' : 'debug']('engine call failed, will be tried again', fields);
      await this.#backoff.wait(this.closed);
    }
  }

  /** Returns when all chunks taken so far are applied, what the engine refuses being dead letters, or at the close. */
  async #isolate(): Promise<void> {
    // Counted as in flight, so that `close` waits for the call under way.
    this.#inFlight++;
    const work: IsolationWork = {
      chunks: this.#chunks.filter(({ state }) => state === 'ready'),
      more: () => this.#takeChunk(),
      done: (chunk, refused) => {
        if (refused.length > 0) {
          chunk.open++;
          this.#writeLetters(chunk, refused).catch(endByDefect);
        }
        this.#applied(chunk);
      },
      applied: (result) => this.#count(result),
    };
    this.#failure ??= await this.#isolation.run(work, this.closed);
    this.#inFlight--;
    this.#changes.notify();
  }

  async #writeLetters(chunk: Chunk, deadLetters: readonly DeadLetter[]): Promise<void> {
    this.#writing++;
    const written = await this.#deps.deadLetters.write(this.#options, deadLetters, this.closed);
    this.#writing--;
    if (written) this.#partDone(chunk);
    this.#changes.notify();
  }

  #partDone(chunk: Chunk): void {
    if (--chunk.open === 0) this.#settle(chunk);
  }

  /**
   * Settles a chunk. What lies behind an unsettled chunk keeps counting: were it let go, a dead letter that cannot be
   * written would not stop the partition, and all that went by would be read again after a restart.
   */
  #settle(chunk: Chunk): void {
    this.#tracker.settle(chunk.lastOffset);
    while (this.#chunks[0]?.open === 0) this.#unsettledBytes -= this.#chunks.shift()!.bytes;
    this.#reportLag();
    this.#resumeAtHalf();
    this.#changes.notify();
  }

  #resumeAtHalf(): void {
    if (!this.#paused || this.#draining || this.closed.aborted) return;
    if (this.#unsettledBytes * 2 > this.#options.laneQueueBytes) return;
    this.#paused = false;
    this.#deps.source.resume(this.kafkaTopic, this.partition);
  }

  #reportLag(): void {
    const lag = Math.max(0, this.#endOffset - this.position);
    this.#deps.stats.setLag(this.#options.policy.name, this.partition, lag);
  }
}

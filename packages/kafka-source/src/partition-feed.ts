import type { Consumer, EachBatchPayload } from 'kafkajs';
import type Batch from 'kafkajs/src/consumer/batch.js';
import { endByDefect, proofOf, type Logger, type RecordSink } from '@ws-gateway/core';
import { toSourceRecords } from './convert.js';
import { errorFields } from './errors.js';
import type { OwnedPartition, OwnedPartitions } from './owned-partitions.js';
import { pause } from './timing.js';
import type { TopicTrouble } from './topic-trouble.js';

/** Time in ms after which a partition that is fetched again counts as readable, when nothing says otherwise. */
const TRIED_MS = 2_000;

/** What the patch adds to kafkajs' batches. */
type PatchedBatch = Pick<Batch, 'lastOffsetRead' | 'unreadable'>;

interface PartitionFeedParts {
  readonly consumer: Consumer;
  readonly owned: OwnedPartitions;
  readonly sink: RecordSink;
  readonly trouble: TopicTrouble;
  readonly logger: Logger;
}

/** From kafkajs' batches to the sink: which partitions are fetched from where, and how far each was read. */
export class PartitionFeed {
  readonly #parts: PartitionFeedParts;
  /** Told when a partition started over, which only another member's life can deal with. */
  readonly #positionLost: () => void;
  #generation: AbortSignal = AbortSignal.abort();

  constructor(parts: PartitionFeedParts, positionLost: () => void) {
    this.#parts = parts;
    this.#positionLost = positionLost;
    const { consumer } = parts;
    // The only word of what the log holds besides records: kafkajs goes over it without a call of the handler.
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      const { topic, partition, batchSize, lastOffset, highWatermark } = payload;
      if (batchSize === 0) this.#passOver(topic, partition, { last: Number(lastOffset), end: Number(highWatermark) });
    });
  }

  /** What rests is tried again while the assignment lasts. */
  begin(generation: AbortSignal): void {
    this.#generation = generation;
  }

  /** Seeking explicitly makes kafkajs forget what it had in flight for the partition. */
  startAt(owned: OwnedPartition, offset: number): void {
    const { topic, partition } = owned;
    owned.nextOffset = offset;
    this.#control((consumer) => consumer.seek({ topic, partition, offset: String(offset) }));
    this.steer(owned);
  }

  /** Lets kafkajs fetch the partition, or not. */
  steer({ topic, partition, open, paused, unreadable }: OwnedPartition): void {
    const verb = open && !paused && !unreadable ? 'resume' : 'pause';
    this.#control((consumer) => consumer[verb]([{ topic, partitions: [partition] }]));
  }

  /**
   * Hands over and returns: kafkajs does not fetch again before all handlers have returned (docs/kafkajs.md, rule 2).
   * What is not resolved here is fetched again from where the partition stands.
   */
  handOver({ batch, resolveOffset, isStale }: EachBatchPayload): void {
    const { topic, partition, messages } = batch;
    const { lastOffsetRead, unreadable } = batch as unknown as PatchedBatch;
    const { owned: partitions, sink, trouble } = this.#parts;
    const owned = partitions.get(topic, partition);
    // Fetched before the last join, or before a pause.
    if (!owned?.open || owned.paused || isStale()) return;
    if (messages.length > 0 && Number(messages[0]!.offset) < owned.nextOffset) {
      this.#losePosition(topic, partition);
      return;
    }
    if (lastOffsetRead !== null || messages.length > 0) {
      const last = Number(batch.lastOffset());
      owned.nextOffset = last + 1;
      const upTo = { nextOffset: last + 1, endOffset: Number(batch.highWatermark) };
      const records = toSourceRecords(messages);
      const newest = records.at(-1);
      if (newest !== undefined) owned.lastRead = { offset: newest.offset, proof: proofOf(newest) };
      sink.records(topic, partition, records, upTo);
      resolveOffset(String(last));
    }
    if (unreadable === null) trouble.readable(topic, partition);
    else this.#rest(owned, unreadable);
  }

  /** What the log holds there is no record: a transaction's marker, aborted ones, or what was compacted away. */
  #passOver(topic: string, partition: number, { last, end }: { last: number; end: number }): void {
    const owned = this.#parts.owned.get(topic, partition);
    if (!owned?.open || last < owned.nextOffset) return;
    owned.nextOffset = last + 1;
    this.#parts.sink.records(topic, partition, [], { nextOffset: last + 1, endOffset: end });
  }

  /** What comes next cannot be read: the partition waits, and no other one does. */
  #rest(owned: OwnedPartition, error: Error): void {
    const { topic, partition, nextOffset } = owned;
    const waitMs = this.#parts.trouble.unreadable(topic, partition, { offset: nextOffset, error });
    owned.unreadable = true;
    this.steer(owned);
    const generation = this.#generation;
    const tryAgain = async (): Promise<void> => {
      if (generation.aborted) return;
      owned.unreadable = false;
      this.steer(owned);
      // Where nothing new is written a good answer goes without a word.
      await pause(TRIED_MS, generation);
      const isTried = owned.open && !owned.paused && !owned.unreadable;
      if (isTried && !generation.aborted) this.#parts.trouble.readable(topic, partition);
    };
    pause(waitMs, generation).then(tryAgain).catch(endByDefect);
  }

  /**
   * The topic was deleted and made again: kafkajs starts it over without a word. The router must hear of it by a new
   * assignment, or it takes the new records for repetitions of old ones.
   */
  #losePosition(topic: string, partition: number): void {
    const { owned, logger } = this.#parts;
    owned.shut();
    this.#control((consumer) => consumer.pause([{ topic, partitions: [partition] }]));
    logger.warn('kafka partition starts over, joining the group again', { topic, partition });
    this.#positionLost();
  }

  /** kafkajs throws when its consumer crashed a moment ago; pauses are then void anyway. */
  #control(action: (consumer: Consumer) => void): void {
    try {
      action(this.#parts.consumer);
    } catch (error) {
      this.#parts.logger.debug('kafka consumer is gone', errorFields(error));
    }
  }
}

import type { Cluster } from 'kafkajs';
import Batch from 'kafkajs/src/consumer/batch.js';
import type { SourceRecord } from '@ws-gateway/core';
import { toSourceRecords } from './convert.js';
import { KafkaError, toKafkaError } from './errors.js';

/** `begin`: offset of the first record that is kept; `end`: offset of the next one that is written. */
export interface PartitionBounds {
  readonly partition: number;
  readonly begin: number;
  readonly end: number;
}

/** Members of kafkajs' broker object beyond its published type. */
interface FetchingBroker {
  fetch(request: object): Promise<{ responses: { partitions: object[] }[] }>;
}

/** Where to fetch; of a batch that is larger than `maxBytes` all comes. */
interface FetchPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly maxBytes: number;
}

const READ_WAIT_MS = 100;
const READ_BYTES = 1024 * 1024;
const RECORD_BYTES = 16 * 1024;
/** Number of answers in a row that may hold nothing although the log goes on. */
const EMPTY_ANSWERS_MAX = 50;

/**
 * Reads a partition from `begin` to before `end` without a group, which kafkajs has no call for. The cluster must know the
 * topic. Returns the offset behind what was read: `end`, or before it the log's end or its first open transaction.
 */
export async function readPartition(
  cluster: Cluster,
  { topic, partition, begin, end }: { topic: string } & PartitionBounds,
  take: (records: readonly SourceRecord[]) => void,
): Promise<number> {
  let next = begin;
  if (begin >= end) return next;
  for await (const answer of answersFrom(cluster, { topic, partition, offset: begin, maxBytes: READ_BYTES })) {
    take(toSourceRecords(answer.messages).filter(({ offset }) => offset < end));
    next = answer.next;
    if (next >= end) return end;
  }
  return next;
}

/** The first record at the offset or behind it; null where the log ends before. */
export async function firstRecordFrom(
  cluster: Cluster,
  place: { readonly topic: string; readonly partition: number; readonly offset: number },
): Promise<SourceRecord | null> {
  for await (const { messages } of answersFrom(cluster, { ...place, maxBytes: RECORD_BYTES })) {
    if (messages.length > 0) return toSourceRecords(messages.slice(0, 1))[0]!;
  }
  return null;
}

/** What the broker answers from an offset on, up to the log's end or its first open transaction. */
async function* answersFrom(
  cluster: Cluster,
  { offset, ...place }: FetchPlace,
): AsyncGenerator<{ readonly messages: Batch['messages']; readonly next: number }> {
  let next = offset;
  for (let empty = 0; empty < EMPTY_ANSWERS_MAX;) {
    const { messages, lastOffsetRead, lastStableOffset } = await fetchFrom(cluster, { ...place, offset: next });
    empty = lastOffsetRead === null ? empty + 1 : 0;
    next = Math.max(next, (lastOffsetRead ?? -1) + 1);
    yield { messages, next };
    if (next >= Number(lastStableOffset)) return;
  }
  throw new KafkaError('unavailable', `${place.topic}/${place.partition} gave nothing behind offset ${next}`);
}

/** What was compacted away, and what was never committed, is left out. */
async function fetchFrom(cluster: Cluster, { topic, partition, offset, maxBytes }: FetchPlace): Promise<Batch> {
  const leaders = cluster.findLeaderForPartitions(topic, [partition]);
  const leader = Object.keys(leaders)[0];
  if (leader === undefined) throw new KafkaError('unavailable', `no leader of ${topic}/${partition} is known`);
  const broker = (await cluster.findBroker({ nodeId: leader })) as unknown as FetchingBroker;
  const { responses } = await broker.fetch({
    replicaId: -1,
    isolationLevel: 1,
    maxWaitTime: READ_WAIT_MS,
    minBytes: 1,
    maxBytes,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
  });
  const batch = new Batch(topic, String(offset), responses[0]!.partitions[0]!);
  if (batch.unreadable !== null && batch.messages.length === 0) throw toKafkaError(batch.unreadable);
  return batch;
}

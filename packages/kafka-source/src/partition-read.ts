import type { Cluster } from 'kafkajs';
import Batch from 'kafkajs/src/consumer/batch.js';
import type { SourceRecord } from '@ws-gateway/core';
import { toSourceRecords } from './convert.js';
import { KafkaError } from './errors.js';

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

const READ_WAIT_MS = 100;
const READ_BYTES = 1024 * 1024;

/**
 * Reads a partition from `begin` to before `end` without a group, which kafkajs has no call for. The cluster must know the
 * topic.
 */
export async function readPartition(
  cluster: Cluster,
  { topic, partition, begin, end }: { topic: string } & PartitionBounds,
  take: (records: readonly SourceRecord[]) => void,
): Promise<void> {
  for (let next = begin; next < end;) {
    // The batch leaves out what was compacted away and what was never committed.
    const batch = new Batch(topic, String(next), await fetchFrom(cluster, { topic, partition, offset: next }));
    const records = toSourceRecords(batch.messages);
    take(records.filter(({ offset }) => offset < end));
    next = Math.max(next, Number(batch.lastOffset())) + 1;
  }
}

async function fetchFrom(
  cluster: Cluster,
  { topic, partition, offset }: { topic: string; partition: number; offset: number },
): Promise<object> {
  const leaders = cluster.findLeaderForPartitions(topic, [partition]);
  const leader = Object.keys(leaders)[0];
  if (leader === undefined) throw new KafkaError('unavailable', `no leader of ${topic}/${partition} is known`);
  const broker = (await cluster.findBroker({ nodeId: leader })) as unknown as FetchingBroker;
  const { responses } = await broker.fetch({
    replicaId: -1,
    isolationLevel: 1,
    maxWaitTime: READ_WAIT_MS,
    minBytes: 1,
    maxBytes: READ_BYTES,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: READ_BYTES }] }],
  });
  return responses[0]!.partitions[0]!;
}

import { createRequire } from 'node:module';
import { expect, test } from '@jest/globals';
import type { Cluster } from 'kafkajs';
import { readPartition } from '../src/partition-read.js';
import { sealed } from './support/record-batch.js';

/*
 * What compaction can leave at the end of a log, and no client can write: a batch that says up to where it went and holds
 * nothing any more.
 */

const kafkajs = createRequire(createRequire(import.meta.url).resolve('kafkajs'));

/** A record batch (format 2) that held `count` records, all of which were compacted away. */
function emptied(count: number): Buffer {
  const batch = Buffer.alloc(61);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt8(2, 16);
  batch.writeInt32BE(count - 1, 23);
  return sealed(batch);
}

/** What a broker answers whose partition holds this and nothing else. */
async function answer(batch: Buffer, end: number) {
  const Decoder = kafkajs('./src/protocol/decoder');
  const decodeMessages = kafkajs('./src/protocol/requests/fetch/v4/decodeMessages');
  const size = Buffer.alloc(4);
  size.writeInt32BE(batch.length);
  const messages = await decodeMessages(new Decoder(Buffer.concat([size, batch])));
  return { partition: 0, highWatermark: String(end), lastStableOffset: String(end), abortedTransactions: [], messages };
}

// It was fetched again and again, as an answer that holds nothing yet: the lag stayed, and restoring blocks never ended.
test('a log whose last batch was compacted away is read to its end', async () => {
  const partition = await answer(emptied(5), 5);
  const Batch = kafkajs('./src/consumer/batch.js');
  const batch = new Batch('topic', '0', partition);
  expect([batch.isEmptyDueToFiltering(), batch.lastOffset(), batch.offsetLag()]).toEqual([true, '4', '0']);

  const broker = { fetch: async () => ({ responses: [{ partitions: [partition] }] }) };
  const cluster = { findLeaderForPartitions: () => ({ 1: [0] }), findBroker: async () => broker };
  const range = { topic: 'topic', partition: 0, begin: 0, end: Infinity };
  const taken: unknown[] = [];
  const next = await readPartition(cluster as unknown as Cluster, range, (records) => void taken.push(...records));
  expect([next, taken]).toEqual([5, []]);
});

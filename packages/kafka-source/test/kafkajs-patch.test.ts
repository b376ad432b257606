import { createRequire } from 'node:module';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { sealed } from './support/record-batch.js';

/** What patches/kafkajs@2.2.4.patch changes and no test of a whole source shows in reasonable time. */

const kafkajs = createRequire(createRequire(import.meta.url).resolve('kafkajs'));

describe('kafkajs as patched', () => {
  afterAll(() => {
    jest.useRealTimers();
  });

  // Each response armed a timer of 1 ms that armed itself again for ever: 2 % of a core for an idle consumer.
  test('arms no timer while no request is pending', () => {
    const RequestQueue = kafkajs('./src/network/requestQueue');
    const logger = { debug: () => undefined, warn: () => undefined };
    const queue = new RequestQueue({ maxInFlightRequests: null, requestTimeout: 1_000, logger });
    jest.useFakeTimers();
    queue.checkPendingRequests();
    expect(jest.getTimerCount()).toBe(0);
    queue.maybeThrottle(50);
    queue.push({ entry: { correlationId: 1 }, expectResponse: true, sendRequest: () => undefined });
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(100);
    expect([jest.getTimerCount(), queue.pending.length, queue.inflight.size]).toEqual([0, 0, 1]);
  });

  // The records of a batch were spread into a call, which overflows the stack from about 120,000 on: a RangeError, so the
  // consumer crashed, and met the same batch again.
  test('decodes a batch of 200,000 small records', async () => {
    const Decoder = kafkajs('./src/protocol/decoder');
    const decodeMessages = kafkajs('./src/protocol/requests/fetch/v4/decodeMessages');
    const batch = batchOf(200_000);
    const size = Buffer.alloc(4);
    size.writeInt32BE(batch.length);
    const records = await decodeMessages(new Decoder(Buffer.concat([size, batch])));
    expect(records.length).toBe(200_000);
    expect(String(records.at(-1).value)).toBe('x');
  });

  // The checksum is that of RFC 3720 (appendix B.4), whose examples these are.
  test.each([
    ['123456789', 0xe3069283],
    ['\0'.repeat(32), 0x8a9136aa],
    ['', 0],
  ])('takes the checksum of %j', (text, checksum) => {
    expect(kafkajs('./src/protocol/recordBatch/crc32C')(Buffer.from(text))).toBe(checksum);
  });

  test('takes the same checksum of bytes wherever they lie', () => {
    const crc32C = kafkajs('./src/protocol/recordBatch/crc32C');
    const bytes = Buffer.from(Array.from({ length: 64 }, (_, i) => (i * 37) % 251));
    for (let length = 0; length < 40; length++) {
      const text = bytes.subarray(0, length);
      const sums = [0, 1, 2, 3, 4, 5, 6, 7].map((place) =>
        crc32C(Buffer.concat([Buffer.alloc(place), text]).subarray(place)),
      );
      expect(new Set(sums).size).toBe(1);
    }
  });

  test('reads up to a batch that is not what was written', async () => {
    const Decoder = kafkajs('./src/protocol/decoder');
    const decodeMessages = kafkajs('./src/protocol/requests/fetch/v4/decodeMessages');
    const damaged = batchOf(2);
    damaged.write('y', damaged.length - 2);
    const batches = Buffer.concat([batchOf(3), damaged, batchOf(4)]);
    const size = Buffer.alloc(4);
    size.writeInt32BE(batches.length);
    const records = await decodeMessages(new Decoder(Buffer.concat([size, batches])));
    expect(records.length).toBe(3);
    expect(records.unreadable).toMatchObject({ type: 'CORRUPT_MESSAGE' });
  });

  // Made of numbers where they are exact, of BigInts where they are not.
  test.each([
    0,
    1,
    -1,
    63,
    64,
    -64,
    -65,
    2 ** 20 - 1,
    2 ** 20,
    -(2 ** 20),
    -(2 ** 20) - 1,
    2 ** 31,
    -(2 ** 45),
    2 ** 53,
  ])('reads a time %i ms from the first one of its batch', (delta) => {
    expect(timeOf({ first: 1_700_000_000_000n, delta: BigInt(delta) })).toBe(`${1_700_000_000_000n + BigInt(delta)}`);
    expect(timeOf({ first: 2n ** 60n + 1n, delta: BigInt(delta) })).toBe(`${2n ** 60n + 1n + BigInt(delta)}`);
  });

  test.each([
    0n,
    1n,
    -1n,
    2n ** 32n - 1n,
    2n ** 32n,
    -(2n ** 32n),
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ])('reads the offset %s, digit for digit, and what is behind it', (offset) => {
    const Decoder = kafkajs('./src/protocol/decoder');
    const bytes = Buffer.alloc(9, 7);
    bytes.writeBigInt64BE(offset);
    const decoder = new Decoder(bytes);
    expect([decoder.readInt64Text(), decoder.readInt8()]).toEqual([String(offset), 7]);
  });

  test('reads keys, values and headers of records that lie behind each other', async () => {
    const Decoder = kafkajs('./src/protocol/decoder');
    const Encoder = kafkajs('./src/protocol/encoder');
    const RecordBatch = kafkajs('./src/protocol/recordBatch/v0').RecordBatch;
    const encodeRecord = kafkajs('./src/protocol/recordBatch/record/v0');
    const decodeBatch = kafkajs('./src/protocol/recordBatch/v0/decoder');
    const written = [
      { key: 'a', value: 'x'.repeat(300), headers: { trace: '1' } },
      { key: null, value: null, headers: {} },
      { key: 'b', value: '', headers: { trace: '2', other: '3' } },
    ];
    const batch = await RecordBatch({
      records: written.map((record, offsetDelta) => encodeRecord({ ...record, offsetDelta, timestampDelta: 0 })),
      firstTimestamp: 1,
      maxTimestamp: 1,
      lastOffsetDelta: 2,
    });
    const { records } = await decodeBatch(new Decoder(new Encoder().writeEncoder(batch).buffer));
    const read = records.map(({ key, value, headers }: ReadRecord) => ({
      key: textOf(key),
      value: textOf(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, textOf(bytes)])),
    }));
    expect(read).toEqual(written);
  });

  // Each of sixteen workers was started for each fetch, to find that there was nothing to do: some hundred promises.
  test('starts no more workers than there are batches, and leaves none of them over', async () => {
    const createWorker = kafkajs('./src/consumer/worker');
    const createWorkerQueue = kafkajs('./src/consumer/workerQueue');
    let started = 0;
    const handled: string[] = [];
    const workers = [0, 1, 2].map((workerId) => {
      const worker = createWorker({ workerId, handler: async (batch: string) => handled.push(batch) });
      return { run: (work: object) => (started++, worker.run(work)) };
    });
    const queue = createWorkerQueue({ workers });
    await queue.push('a');
    expect([started, handled]).toEqual([1, ['a']]);
    await queue.push('b', 'c', 'd', 'e', 'f');
    expect(started).toBe(1 + workers.length);
    expect(handled.sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  // For each fetch all partitions of all topics were listed, sorted and compared with what the metadata of before said.
  test('compares what is assigned with each metadata once, and notices a partition that is new', () => {
    const ConsumerGroup = kafkajs('./src/consumer/consumerGroup');
    let listed = 0;
    const withPartitions = (...partitions: number[]) => ({
      metadata: {
        topicMetadata: [{ topic: 't', partitionMetadata: partitions.map((partitionId) => ({ partitionId })) }],
      },
    });
    const cluster = {
      brokerPool: withPartitions(0, 1),
      findTopicPartitionMetadata() {
        listed++;
        return this.brokerPool.metadata.topicMetadata[0]!.partitionMetadata;
      },
    };
    const group = Object.assign(Object.create(ConsumerGroup.prototype), { cluster, topicsSubscribed: ['t'] });
    group.partitionsPerSubscribedTopic = new Map([['t', [0, 1]]]);
    for (let fetch = 0; fetch < 3; fetch++) group.checkForStaleAssignment();
    expect(listed).toBe(1);
    cluster.brokerPool = withPartitions(0, 1, 2);
    const compare = () => group.checkForStaleAssignment();
    // Until the group is joined anew it is no less true.
    expect(compare).toThrow('Topic has been updated');
    expect(compare).toThrow('Topic has been updated');
    group.partitionsPerSubscribedTopic = group.generatePartitionsPerSubscribedTopic();
    expect(compare).not.toThrow();
  });
});

interface ReadRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer>>;
}

function textOf(bytes: Buffer | null): string | null {
  return bytes?.toString() ?? null;
}

/** The time of a record as the driver reads it, digit for digit. */
function timeOf({ first, delta }: { first: bigint; delta: bigint }): string {
  const Decoder = kafkajs('./src/protocol/decoder');
  const Encoder = kafkajs('./src/protocol/encoder');
  const Long = kafkajs('./src/utils/long');
  const decodeRecord = kafkajs('./src/protocol/recordBatch/record/v0/decoder');
  const record = new Encoder().writeInt8(0).writeVarLong(new Long(delta));
  record.writeVarInt(0).writeVarIntBytes(null).writeVarIntBytes(Buffer.from('x')).writeVarIntArray([]);
  return decodeRecord(new Decoder(record.buffer), { firstOffset: '0', firstTimestamp: `${first}` }).timestamp;
}

/** A record batch (format 2) of records without key and headers, value "x", all with the batch's first offset. */
function batchOf(count: number): Buffer {
  // Length, attributes, timestamp delta, offset delta, no key, value of one byte, no headers: varints are zigzag.
  const record = Buffer.from([2 * 7, 0, 0, 0, 1, 2, 'x'.charCodeAt(0), 0]);
  const header = Buffer.alloc(61);
  header.writeInt32BE(header.length - 12 + count * record.length, 8);
  header.writeInt8(2, 16);
  header.writeInt32BE(count, 57);
  return sealed(Buffer.concat([header, Buffer.alloc(count * record.length, record)]));
}

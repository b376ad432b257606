import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import kafkajs from 'kafkajs';
import { createTopics, produce, testBrokers, uniqueName, waitFor } from '@ws-gateway/testkit';
import { registerCodecs } from '../src/codecs.js';
import { KafkajsRecordWriter } from '../src/index.js';
import { LogBook, Nodes } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

const writer = new KafkajsRecordWriter({ brokers: testBrokers().split(','), clientId: 'test', logger: new LogBook() });
afterAll(() => writer.stop());

async function freshTopic(partitions = 1): Promise<string> {
  const topic = uniqueName('records');
  await createTopics([topic], partitions);
  return topic;
}

describe('a record arrives as it was written', () => {
  test('key, value, timestamp and headers, in order of offset', async () => {
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    await produce(topic, [
      { key: 'k1', value: 'v1', timestamp: 1_700_000_000_123, headers: { a: 'x', many: ['1', '2'] } },
      { key: null, value: 'v2' },
    ]);
    await waitFor(() => sink.received.length === 2);

    const [first, second] = sink.received;
    expect(first).toMatchObject({ offset: 0, timestamp: 1_700_000_000_123 });
    expect([String(first!.key), String(first!.value), String(first!.headers['a'])]).toEqual(['k1', 'v1', 'x']);
    expect((first!.headers['many'] as Buffer[]).map(String)).toEqual(['1', '2']);
    expect(second).toMatchObject({ offset: 1, key: null, headers: {} });
    expect(sink.violations).toEqual([]);
  });

  test('times of one batch that lie far apart, before and behind the first', async () => {
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    const now = Date.now();
    const times = [now, now + 1, 1, now - 2 ** 31, now - 2 ** 20];
    await produce(
      topic,
      times.map((timestamp) => ({ key: null, value: 'v', timestamp })),
    );
    await waitFor(() => sink.received.length === times.length);
    expect(sink.received.map(({ timestamp }) => timestamp)).toEqual(times);
    expect(sink.received.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  });

  test('a null value stays null and an empty one empty', async () => {
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    await produce(topic, [
      { key: 'gone', value: null },
      { key: 'empty', value: '' },
    ]);
    await waitFor(() => sink.received.length === 2);
    expect(sink.received.map(({ value }) => value)).toEqual([null, Buffer.alloc(0)]);
  });

  // kafkajs looks up a header's name in a plain object, finds Object.prototype.constructor and makes a list with it. And
  // it cannot write a header without a value, which a dead letter may have to. Both are mended by our patch of kafkajs.
  test('headers named like object members, and headers without a value', async () => {
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    await writer.write(topic, [{ key: null, value: 'v', headers: { constructor: 'c', nothing: undefined } }]);
    await waitFor(() => sink.received.length === 1);
    const { headers } = sink.received[0]!;
    expect(String(headers['constructor'])).toBe('c');
    expect('nothing' in headers && headers['nothing']).toBeNull();
  });
});

describe('records read again', () => {
  test('are all that the topic holds, whoever owns the partition and whatever is committed', async () => {
    const topic = await freshTopic(2);
    const groupId = uniqueName('group');
    const values = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ value: `${from + i}`, partition: (from + i) % 2 }));
    await produce(topic, values(0, 10));
    const first = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await produce(topic, values(10, 3000));
    await waitFor(() => first.sink.received.length === 2990);
    await first.source.commit(first.sink.positions());
    await nodes.stopAll();
    const second = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await produce(topic, values(3000, 3002));

    const seen = new Map<number, string[]>();
    const ends = await second.source.readAgain(topic, (partition, records) => {
      seen.set(partition, [...(seen.get(partition) ?? []), ...records.map(({ value }) => String(value))]);
    });
    const expected = (partition: number) =>
      values(0, 3002)
        .filter((record) => record.partition === partition)
        .map(({ value }) => value);
    expect([seen.get(0), seen.get(1)]).toEqual([expected(0), expected(1)]);
    expect(ends).toEqual([
      { topic, partition: 0, offset: 1501 },
      { topic, partition: 1, offset: 1501 },
    ]);
    expect(second.sink.violations).toEqual([]);
  });

  test('of an empty topic are none', async () => {
    const topic = await freshTopic(1);
    const { source } = await nodes.start({ topics: [topic] });
    expect(await source.readAgain(topic, () => undefined)).toEqual([{ topic, partition: 0, offset: 0 }]);
  });
});

describe('a transactional producer', () => {
  // kafkajs goes over markers and aborted records without a word: the lag never came to 0, the commit stood still.
  test('leaves no lag: its markers and what it aborted count as read, at the end of the log, too', async () => {
    const topic = await freshTopic(1);
    const { source, sink } = await nodes.start({ topics: [topic] });
    const client = new kafkajs.Kafka({ brokers: testBrokers().split(','), logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (const end of ['commit', 'abort', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: end }, { value: end }] });
      await transaction[end]();
    }
    await producer.disconnect();
    await waitFor(() => sink.upTo.get(`${topic}/0`)?.nextOffset === 9);
    expect(sink.upTo.get(`${topic}/0`)).toEqual({ nextOffset: 9, endOffset: 9 });
    expect(sink.values).toEqual(['commit', 'commit']);

    const again: string[] = [];
    const take = (_: number, records: readonly { value: Buffer | null }[]) =>
      void again.push(...records.map(({ value }) => String(value)));
    expect(await source.readAgain(topic, take)).toEqual([{ topic, partition: 0, offset: 9 }]);
    expect(again).toEqual(['commit', 'commit']);
    expect(await source.recordFrom(topic, 0, 1)).toMatchObject({ offset: 1 });
    expect(await source.recordFrom(topic, 0, 2)).toBeNull();
    expect(sink.violations).toEqual([]);
  });
});

describe('compressed batches', () => {
  const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
  test.each([
    ['gzip', GZIP],
    ['snappy', Snappy],
    ['lz4', LZ4],
    ['zstd', ZSTD],
  ])('%s', async (_, compression) => {
    registerCodecs();
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    const values = Array.from({ length: 2_000 }, (_unused, i) => `value ${i} ${'x'.repeat(i % 100)}`);
    await produce(
      topic,
      values.map((value) => ({ value })),
      { compression },
    );
    await waitFor(() => sink.received.length === values.length);
    expect(sink.values).toEqual(values);
  });
});

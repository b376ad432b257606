import { expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import type { Logger, SourceRecord } from '@ws-gateway/core';
import { createTopics, produce, readTopic, testBrokers, transactionalProducer, uniqueName } from '@ws-gateway/testkit';
import { RecordProducer, TopicReader } from '../src/index.js';
import { breakZstd } from './support/broken-codec.js';

const silent: Logger = {
  ...{ error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined },
  child: () => silent,
};
const connection = { brokers: testBrokers().split(','), clientId: 'test', logger: silent };

it('reads a part of a partition without a group, and keeps what a group that nobody joins has committed', async () => {
  const topic = uniqueName('read');
  await createTopics([topic], 1);
  await produce(
    topic,
    Array.from({ length: 10 }, (_, at) => ({ key: 'k', value: `v${at}` })),
  );
  const reader = new TopicReader(connection);
  expect(await reader.bounds(topic)).toEqual([{ partition: 0, begin: 0, end: 10 }]);
  const records: SourceRecord[] = [];
  await reader.read(topic, { partition: 0, begin: 3, end: 6 }, (some) => void records.push(...some));
  expect(records.map(({ offset, value }) => [offset, String(value)])).toEqual([
    [3, 'v3'],
    [4, 'v4'],
    [5, 'v5'],
  ]);
  const group = uniqueName('group');
  expect(await reader.committed(group, topic, [0])).toEqual(new Map());
  await reader.commit(group, topic, new Map([[0, 6]]));
  expect(await reader.committed(group, topic, [0])).toEqual(new Map([[0, 6]]));
  expect(await reader.bounds(uniqueName('missing'))).toBeNull();
  await reader.close();
});

// Who took it for the end of what was asked for went over the records behind it for good.
it('says how far it came where a transaction is open, and goes on there when that has ended', async () => {
  const topic = uniqueName('read');
  await createTopics([topic], 1);
  await produce(topic, [{ value: 'before' }]);
  const producer = transactionalProducer(topic);
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ value: 'within' }] });
  await produce(topic, [{ value: 'behind' }]);
  const reader = new TopicReader(connection);
  const values: string[] = [];
  const readFrom = (begin: number): Promise<number> =>
    reader.read(topic, { partition: 0, begin, end: 3 }, (some) => {
      for (const { value } of some) values.push(String(value));
    });
  expect(await readFrom(0)).toBe(1);
  expect(await readFrom(1)).toBe(1);
  await transaction.commit();
  expect(await readFrom(1)).toBe(3);
  expect(values).toEqual(['before', 'within', 'behind']);
  await producer.disconnect();
  await reader.close();
});

it('rejects at a batch that cannot be read, which would else look as if it had held nothing', async () => {
  const topic = uniqueName('read');
  await createTopics([topic], 1);
  await produce(topic, [{ value: 'plain' }]);
  const reader = new TopicReader(connection);
  // Its connection brings the codecs.
  await reader.read(topic, { partition: 0, begin: 0, end: 1 }, () => undefined);
  const mend = breakZstd();
  await produce(topic, [{ value: 'packed' }], { compression: kafkajs.CompressionTypes.ZSTD });
  await produce(topic, [{ value: 'later' }]);
  const values: string[] = [];
  const read = (): Promise<number> =>
    reader.read(topic, { partition: 0, begin: 0, end: 3 }, (some) => {
      for (const { value } of some) values.push(String(value));
    });
  await expect(read()).rejects.toMatchObject({ name: 'KafkaError' });
  expect(values).toEqual(['plain']);
  mend();
  await read();
  expect(values).toEqual(['plain', 'plain', 'packed', 'later']);
  await reader.close();
});

it('writes many large records in order and says where they went, and makes no topic by itself', async () => {
  const topic = uniqueName('write');
  const producer = new RecordProducer(connection);
  await expect(producer.requireTopic(topic)).rejects.toMatchObject({ code: 'unknown_topic' });
  await createTopics([topic], 3);
  await producer.requireTopic(topic);
  const values = Array.from({ length: 80 }, (_, at) => `${at}:${'x'.repeat(60_000)}`);
  const written = await producer.write(
    topic,
    values.map((value, at) => ({ key: `k${at % 7}`, value })),
  );
  const found = await readTopic(topic);
  const byPlace = new Map(found.map(({ partition, offset, value }) => [`${partition}/${offset}`, value]));
  expect(written.map(({ partition, offset }) => byPlace.get(`${partition}/${offset}`))).toEqual(values);
  await producer.close();
}, 30_000);

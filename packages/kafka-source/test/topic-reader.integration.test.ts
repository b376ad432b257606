import { expect, it } from '@jest/globals';
import type { Logger, SourceRecord } from '@ws-gateway/core';
import { createTopics, produce, readTopic, testBrokers, uniqueName } from '@ws-gateway/testkit';
import { RecordProducer, TopicReader } from '../src/index.js';

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

import { afterAll, describe, expect, test } from '@jest/globals';
import { createTopics, deleteTopics, readTopic, testBrokers, uniqueName } from '@ws-gateway/testkit';
import { LabelCounter } from '@ws-gateway/core';
import { KafkajsRecordWriter } from '../src/index.js';
import { LogBook } from './support/harness.js';

const log = new LogBook();
const connection = { brokers: testBrokers().split(','), clientId: 'test', logger: log };
const writer = new KafkajsRecordWriter(connection);
afterAll(() => writer.stop());

async function freshTopic(): Promise<string> {
  const topic = uniqueName('writer');
  await createTopics([topic]);
  return topic;
}

describe('KafkajsRecordWriter', () => {
  test('makes a topic that is missing, with one partition', async () => {
    const topic = uniqueName('group-dlq');
    await writer.write(topic, [{ key: null, value: 'v' }]);
    expect(await readTopic(topic)).toMatchObject([{ partition: 0, value: 'v' }]);
    expect(log.lines).toContainEqual({ level: 'info', message: 'kafka topic created', fields: { topic } });
  });

  test('makes a topic again that was deleted meanwhile', async () => {
    const topic = uniqueName('group-dlq');
    await writer.write(topic, [{ key: null, value: 'v' }]);
    await deleteTopics([topic]);
    await writer.write(topic, [{ key: null, value: 'again' }]);
    expect((await readTopic(topic)).map(({ value }) => value)).toEqual(['again']);
  });

  test('a topic it has made takes a record that is larger than its own topic allowed', async () => {
    const topic = uniqueName('group-dlq');
    await writer.write(topic, [{ key: null, value: Buffer.alloc(2 * 1024 * 1024) }]);
  });

  test('refuses more than its queue holds', async () => {
    const topic = await freshTopic();
    const narrow = new KafkajsRecordWriter({ ...connection, queueRecordsMax: 3 });
    const write = async () => narrow.write(topic, [{ key: null, value: 'v' }]);
    const results = await Promise.allSettled([write(), write(), write(), write()]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    expect(results[3]).toMatchObject({ reason: { code: 'queue_full', retryable: true } });
    await narrow.stop();
  });

  test('refuses more bytes than its queue holds, and counts it, but never a single write', async () => {
    const topic = await freshTopic();
    const stats = { kafkaErrors: new LabelCounter() };
    const narrow = new KafkajsRecordWriter({ ...connection, queueBytesMax: 1_000, stats });
    const write = async (bytes: number) => narrow.write(topic, [{ key: null, value: 'x'.repeat(bytes) }]);
    await write(2_000);
    const results = await Promise.allSettled([write(500), write(500), write(1)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(stats.kafkaErrors.values.get('queue_full')).toBe(1);
    await write(1_000);
    await narrow.stop();
  });
});

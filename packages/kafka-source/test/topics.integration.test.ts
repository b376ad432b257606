import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import { createTopics, deleteTopics, produce, testBrokers, uniqueName, waitFor } from '@ws-gateway/testkit';
import * as kafka from '../src/index.js';
import { LogBook, Nodes } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

const connection = { brokers: testBrokers().split(','), clientId: 'test', logger: new LogBook() };
let admin: Admin;
beforeAll(async () => {
  admin = new kafkajs.Kafka({
    ...connection,
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: () => () => undefined,
  }).admin();
  await admin.connect();
});
afterAll(() => admin.disconnect());

async function freshTopic(partitions = 1): Promise<string> {
  const topic = uniqueName('topics');
  await createTopics([topic], partitions);
  return topic;
}

describe('topics that come and go', () => {
  test('a missing topic is named in the log', async () => {
    const { log } = await nodes.start({ topics: [uniqueName('topics')] });
    expect(log.has('does not exist')).toBe(true);
  });

  test('missing topics are created when that is wanted', async () => {
    const topic = uniqueName('topics');
    const { source, sink } = await nodes.start({ topics: [topic], createTopics: true, fromBeginning: false });
    // A broker may know a topic that was just made a moment later than the one that made it.
    await waitFor(() => source.status.troubles.length === 0);
    expect(source.status).toEqual({ started: true, healthy: true, troubles: [] });
    await produce(topic, [{ value: 'v' }]);
    await waitFor(() => sink.received.length === 1);
  });

  // A rejoin for new partitions is announced by no event of kafkajs: the router would keep its old lanes.
  test('added partitions are read from their first record', async () => {
    const topic = await freshTopic(1);
    const { source, sink } = await nodes.start({ topics: [topic], fromBeginning: false });
    await produce(topic, [{ value: 'before' }]);
    await waitFor(() => sink.received.length === 1);
    await source.commit(sink.positions());
    await admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] });
    const client = new kafkajs.Kafka({ brokers: connection.brokers, logLevel: kafkajs.logLevel.NOTHING });
    const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    await waitFor(async () => producer.send({ topic, messages: [{ value: 'in the new one', partition: 2 }] }));
    await producer.disconnect();
    await waitFor(() => sink.values.includes('in the new one'));
    expect(sink.owned.size).toBe(3);
    expect(sink.values.filter((value) => value === 'before')).toHaveLength(1);
    expect(sink.violations).toEqual([]);
  });

  // kafkajs starts such a partition over without a word. The router, and the engine's positions, would take its records
  // for repetitions of the old topic's and drop them all.
  test('a topic that was deleted and made again is assigned anew and read from its first record', async () => {
    const topic = await freshTopic(1);
    const { source, sink } = await nodes.start({ topics: [topic], fromBeginning: false });
    await produce(topic, [{ value: 'old 1' }, { value: 'old 2' }, { value: 'old 3' }]);
    await waitFor(() => sink.received.length === 3);
    await source.commit(sink.positions());
    const before = sink.assignments;

    await deleteTopics([topic]);
    await waitFor(() => createTopics([topic]).then(() => true));
    await produce(topic, [{ value: 'new 1' }, { value: 'new 2' }]);
    await waitFor(() => sink.values.includes('new 2'), { timeoutMs: 20_000 });
    expect(sink.values.slice(3)).toEqual(['new 1', 'new 2']);
    expect(sink.assignments).toBeGreaterThan(before);
    expect(sink.violations).toEqual([]);
  });

  // By the next fetch the new log was longer than the old one had been: kafkajs read on in it, without its first records.
  test('a topic that is made again while it is read, and is longer at once, is assigned anew as another log', async () => {
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic, await freshTopic()] });
    await produce(topic, [{ value: 'old' }]);
    await waitFor(() => sink.received.length === 1);
    const before = sink.owned.get(`${topic}/0`)!.log;
    await deleteTopics([topic]);
    await waitFor(() => createTopics([topic]).then(() => true));
    await produce(topic, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    const log = () => sink.owned.get(`${topic}/0`)?.log;
    await waitFor(() => log() !== undefined && log() !== before, { timeoutMs: 20_000 });
    await waitFor(() => sink.values.includes('c'));
    // Its last records came before the first, and then again.
    expect(sink.values).toEqual(['old', 'a', 'b', 'c']);
    expect(sink.violations).toEqual([]);
  });

  // kafkajs asks for all its topics at once and repeats that until none is missing: one deleted topic stops the others.
  test('a topic that is deleted for good does not stop the others', async () => {
    const [kept, deleted] = [await freshTopic(), await freshTopic()];
    const { source, sink } = await nodes.start({ topics: [kept, deleted] });
    await deleteTopics([deleted]);
    await waitFor(() => source.status.troubles.length === 1);
    await produce(kept, [{ value: 'flows' }]);
    await waitFor(() => sink.values.includes('flows'));
    expect(source.status).toEqual({ started: true, healthy: true, troubles: [{ topic: deleted, reason: 'missing' }] });
    expect(sink.violations).toEqual([]);
  });
});

describe('topics for the command line', () => {
  test('are made where missing, and checked', async () => {
    const [there, missing] = [await freshTopic(2), uniqueName('topics')];
    expect(await kafka.checkTopics(connection, [there, missing])).toEqual([
      { topic: there, exists: true, forbidden: false, partitions: 2 },
      { topic: missing, exists: false, forbidden: false, partitions: 0 },
    ]);
    const made = await kafka.createTopics(connection, [{ topic: there }, { topic: missing, partitions: 3 }]);
    expect(made).toEqual([missing]);
    await waitFor(async () => {
      const [status] = await kafka.checkTopics(connection, [missing]);
      return status?.partitions === 3;
    });
  });
});

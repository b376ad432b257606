import { recordSourceConformance } from '@ws-gateway/conformance/record-source';
import { createTopics, produce, readTopic, testBrokers } from '@ws-gateway/testkit';
import { KafkajsRecordSource, KafkajsRecordWriter } from '../src/index.js';
import { LogBook } from './support/harness.js';

recordSourceConformance('the driver over kafkajs', async () => {
  const connection = { brokers: testBrokers().split(','), clientId: 'conformance', logger: new LogBook() };
  return {
    createTopic: (topic, partitions) => createTopics([topic], partitions),
    produce: (topic, records) => produce(topic, records),
    readTopic: (topic) => readTopic(topic),
    createSource: (options) =>
      new KafkajsRecordSource({ ...connection, createTopics: false, sessionTimeoutMs: 10_000, ...options }),
    createWriter: () => new KafkajsRecordWriter(connection),
    stop: async () => undefined,
  };
});

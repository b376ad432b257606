export { checkTopics, createTopics, type TopicSpec, type TopicStatus } from './cluster-admin.js';
export { KafkaError, type KafkaErrorCode } from './errors.js';
export { RecordProducer, type WrittenRecord } from './record-producer.js';
export type { PartitionBounds } from './partition-read.js';
export { TopicReader } from './topic-reader.js';
export { KafkajsRecordSource } from './kafkajs-record-source.js';
export { KafkajsRecordWriter } from './kafkajs-record-writer.js';
export type {
  KafkaConnectionOptions,
  KafkajsRecordSourceOptions,
  KafkajsRecordWriterOptions,
  KafkaSasl,
} from './options.js';

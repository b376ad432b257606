export { checkTopics, createTopics, type TopicSpec, type TopicStatus } from './cluster-admin.js';
export { KafkaError, type KafkaErrorCode } from './errors.js';
export { KafkajsRecordSource } from './kafkajs-record-source.js';
export { KafkajsRecordWriter } from './kafkajs-record-writer.js';
export type {
  KafkaConnectionOptions,
  KafkajsRecordSourceOptions,
  KafkajsRecordWriterOptions,
  KafkaSasl,
} from './options.js';

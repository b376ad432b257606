export { checkTopics, createTopics, type TopicSpec, type TopicStatus } from './cluster-admin.js';
export { KafkaError, type KafkaErrorCode } from './errors.js';
export { ClientCredentials, type ClientCredentialsOptions } from './login/client-credentials.js';
export { MskIam, type MskIamOptions } from './login/msk-iam.js';
export { saslOptions } from './login/sasl.js';
export { SharedLoginToken } from './login/shared-login-token.js';
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

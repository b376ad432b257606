import { Kafka, logLevel, type KafkaConfig } from 'kafkajs';

/** kafkajs wants to be told in a warning that its default partitioner changed; records here name their partition. */
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

export interface KafkaAccess {
  /** Addresses as host:port, separated by commas. */
  readonly brokers: string;
  readonly tls?: NonNullable<KafkaConfig['ssl']>;
  readonly sasl?: NonNullable<KafkaConfig['sasl']>;
}

/**
 * Makes a client that logs nothing: what it logs as errors on its way to a fresh group is tried again, and everything
 * else rejects.
 */
export function kafkaClient({ brokers, tls, sasl }: KafkaAccess): Kafka {
  const config: KafkaConfig = { clientId: 'loadtest', brokers: brokers.split(','), logLevel: logLevel.NOTHING };
  if (tls !== undefined) config.ssl = tls;
  if (sasl !== undefined) config.sasl = sasl;
  return new Kafka(config);
}

/** Partition of a user. All records of a user are in one partition, which is what keeps their order. */
export function partitionOf(user: number, partitions: number): number {
  return user % partitions;
}

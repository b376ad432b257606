import { Kafka, logLevel, type KafkaConfig, type SASLOptions } from 'kafkajs';

/** kafkajs names the wish to be told of its new default partitioner in a warning; records here name their partition. */
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

export interface KafkaAccess {
  /** host:port, separated by commas. */
  readonly brokers: string;
  readonly tls?: NonNullable<KafkaConfig['ssl']>;
  readonly sasl?: {
    readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
    readonly username: string;
    readonly password: string;
  };
}

/** Silent: what it logs as errors on its way to a fresh group is tried again, and what is not rejects. */
export function kafkaClient({ brokers, tls, sasl }: KafkaAccess): Kafka {
  const config: KafkaConfig = { clientId: 'loadtest', brokers: brokers.split(','), logLevel: logLevel.NOTHING };
  if (tls !== undefined) config.ssl = tls;
  if (sasl !== undefined) config.sasl = { ...sasl } as SASLOptions;
  return new Kafka(config);
}

/** The records of a user are in one partition: that is what keeps their order. */
export function partitionOf(user: number, partitions: number): number {
  return user % partitions;
}

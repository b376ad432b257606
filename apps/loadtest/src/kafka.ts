import { Kafka, logLevel } from 'kafkajs';

/** kafkajs names the wish to be told of its new default partitioner in a warning; records here name their partition. */
process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1';

/** Silent: what it logs as errors on its way to a fresh group is tried again, and what is not rejects. */
export function kafkaClient(brokers: string): Kafka {
  return new Kafka({ clientId: 'loadtest', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
}

/** The records of a user are in one partition: that is what keeps their order. */
export function partitionOf(user: number, partitions: number): number {
  return user % partitions;
}

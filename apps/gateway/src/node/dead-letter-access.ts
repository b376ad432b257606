import { KafkaError, TopicReader, type KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import { AdminError } from '../admin/admin-error.js';
import type { AdminDeps } from '../admin/route-context.js';
import { DeadLetterArchive } from '../records/dead-letter-archive.js';

/** Opens the dead letters for one request at a time; a connection that is asked for once a day is not worth keeping. */
export function deadLetterAccess(kafka: KafkaConnectionOptions, deadLetterTopic: string): AdminDeps['deadLetters'] {
  return async (work) => {
    const reader = new TopicReader(kafka);
    try {
      return await work(new DeadLetterArchive(reader, deadLetterTopic));
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      kafka.logger.warn('dead letters cannot be read', { error });
      throw new AdminError('unavailable', 'Kafka does not answer; try again');
    } finally {
      await reader.close();
    }
  };
}

import type { Logger } from '@ws-gateway/core';
import { KafkaError, TopicReader } from '@ws-gateway/kafka-source';
import { AdminError } from '../admin/admin-error.js';
import type { AdminDeps } from '../admin/route-context.js';
import type { Config } from '../config/config.js';
import { DeadLetterArchive } from '../records/dead-letter-archive.js';
import { kafkaConnection } from './part-options.js';

/** Opens the dead letters for one request at a time; a connection that is asked for once a day is not worth keeping. */
export function deadLetterAccess(config: Config, logger: Logger): AdminDeps['deadLetters'] {
  return async (work) => {
    const reader = new TopicReader(kafkaConnection(config, logger));
    try {
      return await work(new DeadLetterArchive(reader, config.kafka.deadLetterTopic));
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error;
      logger.warn('dead letters cannot be read', { error });
      throw new AdminError('unavailable', 'Kafka does not answer; try again');
    } finally {
      await reader.close();
    }
  };
}

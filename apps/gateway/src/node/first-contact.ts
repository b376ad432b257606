import type { Logger } from '@ws-gateway/core';
import type { KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import type { Config } from '../config/config.js';
import { probeKafka } from '../probes/kafka-probe.js';
import { ProbeError } from '../probes/reach.js';
import { probeRedis } from '../probes/redis-probe.js';

/**
 * Says within a second which server cannot be reached, where and why, each for itself: the parts try again for ever, a
 * router begins with Kafka only when Redis is there, and what the drivers say of it comes late. Never rejects.
 */
export async function firstContact(
  config: Config,
  needs: { readonly kafka: KafkaConnectionOptions | null },
  logger: Logger,
): Promise<void> {
  const tell = (server: string) => (error: unknown) => {
    // A probe is there for the log only: whatever it fails by must not end the node.
    if (error instanceof ProbeError)
      logger.error(`${server} cannot be reached`, { address: error.address, cause: error.message });
    else logger.error(`${server} could not be tried`, { error });
  };
  await Promise.all([
    config.engine === 'redis' ? probeRedis(config.redis).catch(tell('redis')) : null,
    needs.kafka ? probeKafka(config.kafka).catch(tell('kafka')) : null,
    // Whoever issues the token says itself what is wrong with it, and all connections use the one that comes.
    needs.kafka?.sasl?.mechanism === 'oauthbearer' ? needs.kafka.sasl.tokens.get().catch(() => undefined) : null,
  ]);
}

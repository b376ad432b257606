import type { Logger } from '@ws-gateway/core';
import type { KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import type { Config } from '../config/config.js';

/** Logger of short commands: the command itself reports a failure once, and not each attempt of the driver. */
export const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

export async function toolConnection(config: Config): Promise<KafkaConnectionOptions> {
  const { kafkaConnection } = await import('../node/part-options.js');
  return { ...kafkaConnection(config, silent), clientId: 'ws-gateway-cli' };
}

export const brokersOption = ['--brokers <list>', 'Kafka brokers, host:port separated by commas'] as const;

/** Every Kafka topic that a gateway of this configuration reads or writes. */
export function kafkaTopics(config: Config): string[] {
  const topics = new Set([...config.topics.values()].map(({ kafkaTopic }) => kafkaTopic));
  topics.add(config.kafka.deadLetterTopic);
  if (config.presence.enabled) topics.add(config.presence.kafkaTopic);
  if (config.subscriptions.enabled) topics.add(config.subscriptions.kafkaTopic);
  if (config.deliveries.enabled) topics.add(config.deliveries.kafkaTopic);
  if (config.inbound.enabled) topics.add(config.inbound.kafkaTopic);
  return [...topics];
}

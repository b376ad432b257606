import {
  EventLog,
  PresenceEvents,
  SentRecords,
  SubscriptionEvents,
  type EdgeStats,
  type RecordWriter,
  type RouterStats,
  type SentMessages,
} from '@ws-gateway/core';
import { KafkajsRecordWriter, type KafkaConnectionOptions } from '@ws-gateway/kafka-source';
import { operatorsOf } from '../admin/operators.js';
import type { Config } from '../config/config.js';
import { readsKafka } from './part-options.js';

/** Parts that write to Kafka: dead letters (by the router), events, messages of clients, blocks by the admin API. */
export interface Outgoing {
  /** Writer; null: this node writes nothing. */
  readonly writer: RecordWriter | null;
  readonly sent: SentMessages | null;
  readonly presence: PresenceEvents | null;
  readonly subscriptions: SubscriptionEvents | null;
  /** Writes what waits, then closes. */
  stop(): Promise<void>;
}

interface OutgoingDeps {
  readonly node: string;
  readonly stats: { readonly edge: EdgeStats; readonly router: RouterStats };
  readonly kafka: KafkaConnectionOptions;
}

export function createOutgoing(config: Config, { node, stats, kafka }: OutgoingDeps): Outgoing {
  const { inbound, presence, subscriptions } = config;
  const isBlockLog = operatorsOf(config.admin).length > 0 && [...config.topics.values()].some(({ blocks }) => blocks);
  const needed = readsKafka(config) || inbound.enabled || presence.enabled || subscriptions.enabled || isBlockLog;
  const writer = needed ? new KafkajsRecordWriter({ ...kafka, stats: stats.router }) : null;
  const logOf = ({ enabled, kafkaTopic }: Config['presence']): EventLog | null =>
    enabled && writer !== null
      ? new EventLog({ writer, dropped: stats.edge.eventsDropped, logger: kafka.logger }, kafkaTopic)
      : null;
  const [presenceLog, subscriptionLog] = [logOf(presence), logOf(subscriptions)];
  return {
    writer,
    sent: writer !== null && inbound.enabled ? new SentRecords(writer, inbound.kafkaTopic) : null,
    presence: presenceLog === null ? null : new PresenceEvents(presenceLog, node),
    subscriptions: subscriptionLog === null ? null : new SubscriptionEvents(subscriptionLog, node),
    stop: async () => {
      await Promise.all([presenceLog?.stop(), subscriptionLog?.stop()]);
      await writer?.stop();
    },
  };
}

import {
  EventLog,
  PresenceEvents,
  SentRecords,
  type Logger,
  type RecordWriter,
  type RouterStats,
  type SentMessages,
} from '@ws-gateway/core';
import { KafkajsRecordWriter } from '@ws-gateway/kafka-source';
import type { Config } from './config/config.js';
import { kafkaConnection, readsKafka } from './part-options.js';

/** What a node writes to Kafka: dead letters (by the router), presence events, messages of clients. */
export interface Outgoing {
  /** null: this node writes nothing. */
  readonly writer: RecordWriter | null;
  readonly sent: SentMessages | null;
  readonly presence: PresenceEvents | null;
  /** Writes what waits, then closes. */
  stop(): Promise<void>;
}

export function createOutgoing(
  config: Config,
  node: string,
  { stats, logger }: { stats: RouterStats; logger: Logger },
): Outgoing {
  const { inbound, presence } = config;
  const needed = readsKafka(config) || inbound.enabled || presence.enabled;
  const writer = needed ? new KafkajsRecordWriter({ ...kafkaConnection(config, logger), stats }) : null;
  const log = writer !== null && presence.enabled ? new EventLog(writer, presence.kafkaTopic, logger) : null;
  return {
    writer,
    sent: writer !== null && inbound.enabled ? new SentRecords(writer, inbound.kafkaTopic) : null,
    presence: log === null ? null : new PresenceEvents(log, node),
    stop: async () => {
      await log?.stop();
      await writer?.stop();
    },
  };
}

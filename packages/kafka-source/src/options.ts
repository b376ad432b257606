import type { ConnectionOptions } from 'node:tls';
import type { Logger, RouterStats } from '@ws-gateway/core';
import type { SharedLoginToken } from './login/shared-login-token.js';

/** Login at the brokers: by password, or by a token that all connections of a process share. */
export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | { readonly mechanism: 'oauthbearer'; readonly tokens: SharedLoginToken };

/** How to reach the brokers. */
export interface KafkaConnectionOptions {
  /** host:port; at least one. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** TLS options; true: TLS with the system's authorities. */
  readonly tls?: ConnectionOptions | boolean;
  readonly sasl?: KafkaSasl;
  readonly logger: Logger;
}

export interface KafkajsRecordSourceOptions extends KafkaConnectionOptions {
  readonly groupId: string;
  /** Kafka's names. */
  readonly topics: readonly string[];
  /** Where a topic starts that was there when the group first saw it: at its first record, or at its end. */
  readonly fromBeginning: boolean;
  /** Topics that start at their first record in any case, because they hold a state. */
  readonly wholeTopics?: readonly string[];
  /** Topics that are missing are created with the broker's defaults instead of waited for. */
  readonly createTopics: boolean;
  /** A killed member's partitions move to the others after this time, unless it is taken out of the group before. */
  readonly sessionTimeoutMs?: number;
  readonly stats?: Pick<RouterStats, 'kafkaErrors' | 'topicTroubles'>;
}

export interface KafkajsRecordWriterOptions extends KafkaConnectionOptions {
  readonly stats?: Pick<RouterStats, 'kafkaErrors'>;
  /** Records that wait for the broker, over all calls; further writes are refused (`queue_full`). */
  readonly queueRecordsMax?: number;
  /** And their bytes; default 64 MB. */
  readonly queueBytesMax?: number;
}

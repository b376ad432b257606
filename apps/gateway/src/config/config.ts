import type { TopicPolicy } from '@ws-gateway/core';
import type { SchemaValues } from './schema/schema.js';

/**
 * The configuration as the program uses it: durations are numbers named …Ms, sizes are bytes named …Bytes, and what was
 * left to be derived is filled in.
 */
export interface Config extends Omit<SchemaValues, 'topics' | 'server' | 'kafka' | 'grpc' | 'backends' | 'sessions'> {
  readonly server: Omit<SchemaValues['server'], 'tls'> & {
    /** TLS files; null: no TLS. */
    readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  };
  readonly kafka: Omit<SchemaValues['kafka'], 'tls' | 'sasl' | 'bootstrapServers'> & {
    readonly brokers: readonly string[];
    readonly tls: Omit<SchemaValues['kafka']['tls'], 'enabled'> | null;
    readonly sasl: KafkaSasl | null;
  };
  /** Topics by name: those of `topics` and those of `kafka.topics`. */
  readonly topics: ReadonlyMap<string, TopicPolicy>;
  readonly grpc: Omit<SchemaValues['grpc'], 'tls'> & { readonly tls: SchemaValues['grpc']['tls'] | null };
  readonly backends: SchemaValues['backends'];
  /** Session limit; null: none. */
  readonly sessions: SchemaValues['sessions'] | null;
}

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    }
  | ({ readonly mechanism: 'oauthbearer' } & SaslValues['oauth'])
  | ({ readonly mechanism: 'aws-msk-iam' } & SaslValues['awsMskIam']);

type SaslValues = SchemaValues['kafka']['sasl'];

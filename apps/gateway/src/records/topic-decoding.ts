import {
  formats,
  RecordDecoder,
  type DecodeContext,
  type Decoded,
  type Pending,
  type SchemaReader,
  type SourceRecord,
  type TopicPolicy,
} from '@ws-gateway/core';
import type { Config } from '../config/config.js';
import { roomRetention } from '../node/part-options.js';
import { failure } from '../cli/exit.js';
import { silent } from '../cli/kafka.js';

/** What a router would make of a record. */
export type Verdict = Exclude<Decoded, Pending>;

/** Decodes records as the router does, for tools that only look. */
export class TopicDecoding {
  readonly policy: TopicPolicy;
  readonly #decoder: RecordDecoder;
  readonly #registryTimeoutMs: number;
  readonly #context: Omit<DecodeContext, 'partition' | 'nowMs'>;

  constructor(config: Config, policy: TopicPolicy, schemas: SchemaReader | null) {
    this.policy = policy;
    this.#decoder = new RecordDecoder(policy, schemas);
    this.#registryTimeoutMs = config.schemaRegistry.timeoutMs;
    this.#context = { maxRecordBytes: config.limits.maxRecordBytes, roomRetention: roomRetention(config) };
  }

  /** Rejects when the schema registry does not answer in the time that it has. */
  async decode(record: SourceRecord, partition: number): Promise<Verdict> {
    const signal = AbortSignal.timeout(this.#registryTimeoutMs);
    for (;;) {
      const decoded = this.#decoder.decode(record, { ...this.#context, partition, nowMs: Date.now() });
      if (decoded.kind !== 'pending') return decoded;
      await readyOr(decoded, signal);
    }
  }
}

async function readyOr({ ready }: Pending, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    ready.then(resolve, reject);
  });
}

/** The topic of this name, or the one that this Kafka topic feeds. */
export function topicOf(config: Config, name: string): TopicPolicy | undefined {
  return config.topics.get(name) ?? [...config.topics.values()].find(({ kafkaTopic }) => kafkaTopic === name);
}

/** Runs a tool's work with what reads the topic, the schema registry included. */
export async function withDecoding<T>(
  config: Config,
  policy: TopicPolicy,
  work: (decoding: TopicDecoding) => Promise<T>,
): Promise<T> {
  const { createSchemaReader } = await import('../node/schema-registry.js');
  let cause = 'no answer';
  const logger = {
    ...silent,
    error: (_: string, fields: Readonly<Record<string, unknown>> = {}) => void (cause = String(fields['error'])),
  };
  const schemas = formats[policy.format].needsRegistry ? createSchemaReader(config, logger) : null;
  try {
    return await work(new TopicDecoding(config, policy, schemas));
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
    throw failure(`schema registry at ${config.schemaRegistry.url}: ${cause}`, error);
  } finally {
    await schemas?.stop();
  }
}

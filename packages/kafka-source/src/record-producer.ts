import kafkajs, { type Producer } from 'kafkajs';
import type { OutgoingRecord } from '@ws-gateway/core';
import { createClient } from './client.js';
import { ClusterAdmin } from './cluster-admin.js';
import { KafkaError, toKafkaError } from './errors.js';
import { sizeOf, toMessage } from './kafkajs-record-writer.js';
import type { KafkaConnectionOptions } from './options.js';
import { withDeadline } from './timing.js';

const RETRY = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 5 };
const CONNECT_TIMEOUT_MS = 10_000;
/** Half of what a broker takes in a request by default (1 MB): headers and framing are not counted. */
const BATCH_BYTES = 512 * 1024;
const BATCH_RECORDS = 500;

export interface WrittenRecord {
  readonly partition: number;
  readonly offset: number;
}

type PlacementRequest = Parameters<ReturnType<typeof kafkajs.Partitioners.DefaultPartitioner>>[0];

/**
 * Writes records for a tool, which wants to know where they went and must not make topics by a slip of the pen. Records of
 * one call keep their order; what was written before a call failed stays written.
 */
export class RecordProducer {
  readonly #admin: ClusterAdmin;
  readonly #retired = new AbortController();
  readonly #producer: Producer;
  readonly #partitions: number[] = [];
  #connecting: Promise<void> | null = null;

  constructor(options: KafkaConnectionOptions) {
    this.#admin = new ClusterAdmin(options);
    this.#producer = createClient(options, { retry: RETRY, retired: this.#retired.signal }).producer({
      allowAutoTopicCreation: false,
      idempotent: false,
      retry: RETRY,
      createPartitioner: () => {
        const place = kafkajs.Partitioners.DefaultPartitioner();
        return (request: PlacementRequest) => {
          const partition = place(request);
          this.#partitions.push(partition);
          return partition;
        };
      },
    });
  }

  /** Rejects with `unknown_topic` when the topic does not exist. */
  async requireTopic(topic: string): Promise<void> {
    const [status] = await this.#admin.checkTopics([topic]);
    if (status?.exists !== true) throw new KafkaError('unknown_topic', `there is no topic ${topic}`);
  }

  /** Makes the topic with the broker's defaults, unless it exists. */
  async createTopic(topic: string): Promise<void> {
    await this.#admin.createTopics([{ topic }]);
  }

  /** Resolves to where each record was written, in their order. */
  async write(topic: string, records: readonly OutgoingRecord[]): Promise<WrittenRecord[]> {
    try {
      this.#connecting ??= this.#producer.connect();
      await withDeadline(this.#connecting, CONNECT_TIMEOUT_MS, 'connecting');
      const written: WrittenRecord[] = [];
      for (const batch of batches(records)) written.push(...(await this.#send(topic, batch)));
      return written;
    } catch (error) {
      throw toKafkaError(error);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin.close(), this.#producer.disconnect().catch(() => undefined)]);
    this.#retired.abort();
  }

  async #send(topic: string, records: readonly OutgoingRecord[]): Promise<WrittenRecord[]> {
    this.#partitions.length = 0;
    const answers = await this.#producer.send({ topic, acks: -1, messages: records.map(toMessage) });
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    // A repeated attempt places the records anew: the last ones count.
    return this.#partitions.slice(-records.length).map((partition) => {
      const offset = next.get(partition) ?? -1;
      next.set(partition, offset + 1);
      return { partition, offset };
    });
  }
}

function* batches(records: readonly OutgoingRecord[]): Generator<OutgoingRecord[]> {
  let batch: OutgoingRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = sizeOf([toMessage(record)]);
    if (batch.length > 0 && (bytes + size > BATCH_BYTES || batch.length >= BATCH_RECORDS)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

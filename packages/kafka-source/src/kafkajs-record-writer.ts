import kafkajs, { type IHeaders, type Message, type Producer, type RetryOptions } from 'kafkajs';
import type { HeaderValue, OutgoingRecord, RecordWriter } from '@ws-gateway/core';
import { createClient } from './client.js';
import { ClusterAdmin } from './cluster-admin.js';
import { errorLabel, isUnknownTopic, KafkaError, toKafkaError } from './errors.js';
import type { KafkajsRecordWriterOptions } from './options.js';
import { withDeadline } from './timing.js';

/** About eight seconds: whoever writes decides what a longer outage means. */
const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 10 };
const CONNECT_TIMEOUT_MS = 10_000;
const DISCONNECT_TIMEOUT_MS = 2_000;
const ALL_REPLICAS = -1;
const DEFAULT_QUEUE_RECORDS_MAX = 20_000;
const DEFAULT_QUEUE_BYTES_MAX = 64 * 1024 * 1024;
const REQUEST_BYTES_MAX = 512 * 1024;
/** kafkajs needs time that grows with the square: 10,000 records in a request take 0.2 s, 40,000 take 7 s. */
const REQUEST_RECORDS_MAX = 2_000;
/** A dead letter is a record plus headers, so it may exceed what its own topic allowed. */
const CREATED_TOPIC_CONFIG = { 'max.message.bytes': String(16 * 1024 * 1024) };

interface Write {
  readonly topic: string;
  readonly messages: readonly Message[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: KafkaError) => void;
}

/**
 * RecordWriter over kafkajs. One request is in flight at a time and takes along all that was written meanwhile, so
 * records keep the order of the calls, and many single writes cost few round trips. At least once: a request whose answer
 * was lost is repeated. (kafkajs' idempotent producer is no remedy: after a request that was given up it uses the same
 * sequence numbers for other records, which the broker then drops as repetitions.) A topic that is missing is made,
 * with one partition.
 */
export class KafkajsRecordWriter implements RecordWriter {
  readonly #options: KafkajsRecordWriterOptions;
  readonly #admin: ClusterAdmin;
  readonly #queue: Write[] = [];
  readonly #queueRecordsMax: number;
  readonly #queueBytesMax: number;
  /** Topics known to exist. */
  readonly #topics = new Set<string>();
  #queuedRecords = 0;
  #queuedBytes = 0;
  #connection: { readonly producer: Promise<Producer>; readonly retired: AbortController } | null = null;
  #sending: Promise<void> | null = null;
  #stopped = false;

  constructor(options: KafkajsRecordWriterOptions) {
    this.#options = options;
    this.#admin = new ClusterAdmin(options);
    this.#queueRecordsMax = options.queueRecordsMax ?? DEFAULT_QUEUE_RECORDS_MAX;
    this.#queueBytesMax = options.queueBytesMax ?? DEFAULT_QUEUE_BYTES_MAX;
  }

  write(topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    if (this.#stopped) return Promise.reject(new KafkaError('stopped', 'the writer is stopped'));
    if (records.length === 0) return Promise.resolve();
    const messages = records.map(toMessage);
    const bytes = sizeOf(messages);
    if (!this.#hasRoomFor(records.length, bytes)) {
      this.#options.stats?.kafkaErrors.add('queue_full');
      return Promise.reject(new KafkaError('queue_full', `${this.#queuedRecords} records wait for kafka`));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ topic, messages, bytes, resolve, reject });
      this.#queuedRecords += records.length;
      this.#queuedBytes += bytes;
      this.#sending ??= this.#drain();
    });
  }

  /** Sends what was written, then disconnects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#sending;
    await this.#admin.close();
    await this.#disconnect();
  }

  /** A single write is never too large for an empty queue: else it could never be made. */
  #hasRoomFor(records: number, bytes: number): boolean {
    if (this.#queuedRecords === 0) return true;
    return this.#queuedRecords + records <= this.#queueRecordsMax && this.#queuedBytes + bytes <= this.#queueBytesMax;
  }

  async #drain(): Promise<void> {
    // All writes of this turn of the loop ride together.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#sendAll(this.#takeBatch());
    this.#sending = null;
  }

  #takeBatch(): Write[] {
    let bytes = 0;
    let records = 0;
    let count = 0;
    while (count < this.#queue.length) {
      const write = this.#queue[count]!;
      bytes += write.bytes;
      records += write.messages.length;
      if (count > 0 && (bytes > REQUEST_BYTES_MAX || records > REQUEST_RECORDS_MAX)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /**
   * Sends writes; never rejects. When a request of several writes is refused each is sent alone: one bad record hurts
   * nobody else. When Kafka is away, what waits behind the request fails with it: the last of a long queue would
   * otherwise wait for many such attempts, and be told so after others that came later.
   */
  async #sendAll(writes: readonly Write[]): Promise<void> {
    try {
      await this.#send(writes);
      for (const write of writes) this.#settle(write, null);
    } catch (error) {
      this.#options.stats?.kafkaErrors.add(errorLabel(error));
      const failure = toKafkaError(error);
      if (failure.retryable) for (const write of [...writes, ...this.#queue.splice(0)]) this.#settle(write, failure);
      else if (writes.length === 1) this.#settle(writes[0]!, failure);
      else for (const write of writes) await this.#sendAll([write]);
    }
  }

  #settle({ messages, bytes, resolve, reject }: Write, failure: KafkaError | null): void {
    this.#queuedRecords -= messages.length;
    this.#queuedBytes -= bytes;
    if (failure === null) resolve();
    else reject(failure);
  }

  async #send(writes: readonly Write[]): Promise<void> {
    try {
      await this.#sendOnce(writes);
    } catch (error) {
      if (toKafkaError(error).code !== 'record_too_large') await this.#disconnect();
      if (!isUnknownTopic(error)) throw error;
      // Deleted since it was last written to.
      for (const { topic } of writes) this.#topics.delete(topic);
      await this.#sendOnce(writes);
    }
  }

  async #sendOnce(writes: readonly Write[]): Promise<void> {
    for (const { topic } of writes) await this.#ensureTopic(topic);
    const producer = await this.#connected();
    await producer.sendBatch({
      acks: ALL_REPLICAS,
      topicMessages: writes.map(({ topic, messages }) => ({ topic, messages: [...messages] })),
    });
  }

  async #ensureTopic(topic: string): Promise<void> {
    if (this.#topics.has(topic)) return;
    const [status] = await this.#admin.checkTopics([topic]);
    if (!status?.exists) {
      await this.#admin.createTopics([{ topic, partitions: 1, config: CREATED_TOPIC_CONFIG }]);
      this.#options.logger.info('kafka topic created', { topic });
    }
    this.#topics.add(topic);
  }

  #connected(): Promise<Producer> {
    if (!this.#connection) {
      const retired = new AbortController();
      this.#connection = { retired, producer: connect(this.#options, retired.signal) };
    }
    return withDeadline(this.#connection.producer, CONNECT_TIMEOUT_MS, 'connecting');
  }

  async #disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    if (!connection) return;
    const closing = connection.producer.then((producer) => producer.disconnect());
    await withDeadline(closing, DISCONNECT_TIMEOUT_MS, 'disconnecting').catch((error: unknown) =>
      this.#options.logger.debug('kafka producer was not closed cleanly', { error }),
    );
    connection.retired.abort();
  }
}

async function connect(options: KafkajsRecordWriterOptions, retired: AbortSignal): Promise<Producer> {
  const producer = createClient(options, { retry: RETRY, retired }).producer({
    allowAutoTopicCreation: false,
    idempotent: false,
    retry: RETRY,
    // Java's placement by key. Named explicitly because kafkajs warns when it is not.
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  });
  await producer.connect();
  return producer;
}

export function toMessage({ key, value, headers }: OutgoingRecord): Message {
  const message: Message = { key, value };
  if (headers) message.headers = toHeaders(headers);
  return message;
}

function toHeaders(headers: Readonly<Record<string, HeaderValue>>): IHeaders {
  // By entries, which make members of the object itself: a header may be named `__proto__`.
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      // kafkajs writes null, too; its types just don't know.
      (Array.isArray(value) ? value.map(toHeader) : toHeader(value as HeaderValue)) as IHeaders[string],
    ]),
  );
}

function toHeader<Value>(value: Value): Value | Buffer {
  return value instanceof Uint8Array ? toBuffer(value) : value;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function sizeOf(messages: readonly Message[]): number {
  let bytes = 0;
  for (const { key, value } of messages) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}

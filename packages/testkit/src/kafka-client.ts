import { randomUUID } from 'node:crypto';
import kafkajs, {
  Kafka,
  logLevel,
  Partitioners,
  type Admin,
  type CompressionTypes,
  type EachMessagePayload,
  type IHeaders,
  type Message,
  type Producer,
} from 'kafkajs';
import { testBrokers } from './servers.js';
import { waitFor } from './wait.js';

export interface ProducedRecord {
  readonly key?: string | null;
  /** Value of the record. Text and bytes are sent as they are, null as no value, anything else as JSON. */
  readonly value: unknown;
  readonly headers?: IHeaders;
  readonly partition?: number;
  /** Time of the record, ms since the epoch. */
  readonly timestamp?: number;
}

export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface KafkaClientOptions {
  /** Address of the brokers, comma-separated; by default the broker that the whole run shares. */
  readonly brokers?: string;
}

/** Makes a name that no other test of this run uses: all tests share one broker. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Creates topics and waits until each partition has a leader: a fresh topic refuses its first records otherwise. */
export async function createTopics(
  names: readonly string[],
  partitions = 1,
  options: KafkaClientOptions = {},
): Promise<void> {
  await withAdmin(options, async (admin) => {
    // kafkajs gives up `waitForLeaders` too early on a broker that has just started, so this asks by itself.
    const topics = names.map((topic) => ({ topic, numPartitions: partitions }));
    await admin.createTopics({ topics, waitForLeaders: false });
    await waitFor(() => haveLeaders(admin, names, partitions), { what: `leaders of ${names.join(', ')}` });
  });
}

async function haveLeaders(admin: Admin, names: readonly string[], partitions: number): Promise<boolean> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] });
  return topics.every((topic) => topic.partitions.filter(({ leader }) => leader >= 0).length >= partitions);
}

export async function deleteTopics(names: readonly string[], options: KafkaClientOptions = {}): Promise<void> {
  await withAdmin(options, (admin) => admin.deleteTopics({ topics: [...names] }));
}

/** Makes a producer of transactions, which is not connected yet. */
export function transactionalProducer(
  transactionalId: string,
  { brokers = testBrokers() }: KafkaClientOptions = {},
): Producer {
  const client = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const createPartitioner = Partitioners.DefaultPartitioner;
  return client.producer({ transactionalId, maxInFlightRequests: 1, idempotent: true, createPartitioner });
}

/** Writes each call in a transaction, and the same records once more in one that it aborts. */
export class TransactionalWriter {
  readonly #producer: Producer;
  #connected: Promise<void> | null = null;

  constructor(transactionalId: string, options: KafkaClientOptions = {}) {
    this.#producer = transactionalProducer(transactionalId, options);
  }

  async write(topic: string, records: readonly ProducedRecord[]): Promise<void> {
    await (this.#connected ??= this.#producer.connect());
    for (const end of ['commit', 'abort'] as const) {
      const transaction = await this.#producer.transaction();
      await transaction.send({ topic, messages: records.map(toMessage) });
      await transaction[end]();
    }
  }

  async stop(): Promise<void> {
    await this.#producer.disconnect();
  }
}

/**
 * Writes each call's records under keys of their own, where their keys would have gone, and beside them one of a key that is
 * always the same: what the broker compacts away of that leaves holes everywhere. Makes the topic a compacted one first.
 */
export class CompactingWriter {
  readonly #options: KafkaClientOptions;
  readonly #producer: Producer;
  #partitions: Promise<number> | null = null;
  #count = 0;

  constructor(options: KafkaClientOptions = {}) {
    this.#options = options;
    this.#producer = client(options).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  }

  async write(topic: string, records: readonly (ProducedRecord & { readonly key: string })[]): Promise<void> {
    const partitions = await (this.#partitions ??= this.#prepare(topic));
    const partitionOf = (key: string): number => Buffer.from(key).reduce((sum, byte) => sum + byte, 0) % partitions;
    const messages = records.map(({ key, value }) => {
      return toMessage({ key: `${key}-${++this.#count}`, value, partition: partitionOf(key) });
    });
    const nobody = { user_id: 'nobody', payload: {} };
    for (let partition = 0; partition < partitions; partition++) {
      messages.push(toMessage({ key: 'nobody', value: nobody, partition }));
    }
    await this.#producer.send({ topic, messages });
  }

  async stop(): Promise<void> {
    await this.#producer.disconnect();
  }

  /** Small segments are compacted as soon as the broker looks (`log.cleaner.backoff.ms`). Returns the number of partitions. */
  async #prepare(topic: string): Promise<number> {
    await this.#producer.connect();
    const config = { 'cleanup.policy': 'compact', 'segment.ms': '200', 'min.cleanable.dirty.ratio': '0.01' };
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    return withAdmin(this.#options, async (admin) => {
      const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configEntries }];
      await admin.alterConfigs({ validateOnly: false, resources });
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      return topics[0]!.partitions.length;
    });
  }
}

/** How many offsets of the topic hold no record any more. */
export async function holesIn(topic: string, options: KafkaClientOptions = {}): Promise<number> {
  const ends = await withAdmin(options, (admin) => admin.fetchTopicOffsets(topic));
  const offsets = ends.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
  return offsets - (await readTopic(topic, options)).length;
}

/** Reads what the group has committed, for each partition that it has committed anything for. */
export async function committedOffsets(
  groupId: string,
  topic: string,
  options: KafkaClientOptions = {},
): Promise<Map<number, number>> {
  const [entry] = await withAdmin(options, (admin) => admin.fetchOffsets({ groupId, topics: [topic] }));
  const known = entry!.partitions.map(({ partition, offset }) => [partition, Number(offset)] as const);
  return new Map(known.filter(([, offset]) => offset >= 0));
}

/** Ids of the members that the group knows, also while it waits for some of them. */
export async function groupMembers(groupId: string, options: KafkaClientOptions = {}): Promise<string[]> {
  const { groups } = await withAdmin(options, (admin) => admin.describeGroups([groupId]));
  return groups.flatMap(({ members }) => members.map(({ memberId }) => memberId));
}

/**
 * Joins as a member of kafkajs' own kind, which deals out the topics of the group's leader only. Resolves when it leads the
 * group, to what takes it out again.
 */
export async function leadGroup(
  groupId: string,
  topic: string,
  options: KafkaClientOptions = {},
): Promise<() => Promise<void>> {
  const consumer = client(options).consumer({ groupId, heartbeatInterval: 300 });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.connect();
  await consumer.subscribe({ topic });
  await consumer.run({ eachMessage: async () => undefined });
  await joined;
  return () => consumer.disconnect();
}

/** Writes records; resolves when the broker has acknowledged all of them. */
export async function produce(
  topic: string,
  records: readonly ProducedRecord[],
  options: KafkaClientOptions & { readonly compression?: CompressionTypes } = {},
): Promise<void> {
  const { compression } = options;
  const producer = client(options).producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    const messages = records.map(toMessage);
    await producer.send({ topic, messages, ...(compression === undefined ? {} : { compression }) });
  } finally {
    await producer.disconnect();
  }
}

function toMessage(record: ProducedRecord): Message {
  const { key = null, value, timestamp, ...rest } = record;
  const raw = value === null || typeof value === 'string' || Buffer.isBuffer(value);
  const time = timestamp === undefined ? {} : { timestamp: String(timestamp) };
  return { key, value: raw ? value : JSON.stringify(value), ...time, ...rest };
}

/** Reads all records that the topic has now, partition by partition in order. */
export async function readTopic(topic: string, options: KafkaClientOptions = {}): Promise<ConsumedRecord[]> {
  const ends = await withAdmin(options, (admin) => admin.fetchTopicOffsets(topic));
  const open = new Map(ends.filter(({ low, high }) => low !== high).map((end) => [end.partition, Number(end.high)]));
  const records: ConsumedRecord[] = [];
  if (open.size === 0) return records;
  const consumer = client(options).consumer({ groupId: uniqueName('testkit'), maxWaitTimeInMs: 50 });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = async ({ partition, message }: EachMessagePayload): Promise<void> => {
        const offset = Number(message.offset);
        const { key, value, headers = {} } = message;
        const texts = Object.entries(headers).map(([name, header]) => [name, String(header)] as const);
        const text = { key: key?.toString() ?? null, value: value?.toString() ?? null };
        records.push({ partition, offset, ...text, headers: Object.fromEntries(texts) });
        if (offset + 1 >= (open.get(partition) ?? Infinity)) open.delete(partition);
        if (open.size === 0) resolve();
      };
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

async function withAdmin<T>(options: KafkaClientOptions, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = client(options).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

function client(options: KafkaClientOptions): Kafka {
  const brokers = (options.brokers ?? testBrokers()).split(',');
  const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 30 };
  return new Kafka({ clientId: 'testkit', brokers, logLevel: logLevel.NOTHING, retry });
}

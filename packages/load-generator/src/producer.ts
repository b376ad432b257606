import { setTimeout as delay } from 'node:timers/promises';
import type { Message, Producer } from 'kafkajs';
import { nowMicros } from './clock.js';
import { kafkaClient, partitionOf, type KafkaAccess } from './kafka.js';
import { loadRecord, userName, type LoadShape } from './load-record.js';

export interface ProducerOptions extends LoadShape, KafkaAccess {
  readonly kafkaTopic: string;
  readonly partitions: number;
  /** Bytes of a record's value. */
  readonly recordBytes: number;
  /** Makes the value of a record's envelope; by default the envelope is the value. */
  readonly encode?: (envelope: string) => Buffer;
  /** Headers of each record. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Records in one request: far below what a broker takes, also when all of them are for one partition. */
const BULK_RECORDS = 1000;

/** Writes the records of a run in the order of their numbers, and keeps when each was sent and acknowledged. */
export class LoadProducer {
  /** Time of sending by record number, in µs of `nowMicros`; 0: not yet. */
  readonly sentAt: Float64Array;
  readonly acknowledgedAt: Float64Array;
  readonly #options: ProducerOptions;
  readonly #producer: Producer;
  #produced = 0;

  private constructor(options: ProducerOptions, producer: Producer) {
    this.#options = options;
    this.#producer = producer;
    this.sentAt = new Float64Array(options.records);
    this.acknowledgedAt = new Float64Array(options.records);
  }

  static async connect(options: ProducerOptions): Promise<LoadProducer> {
    const producer = kafkaClient(options).producer({ allowAutoTopicCreation: false });
    await producer.connect();
    return new LoadProducer(options, producer);
  }

  get produced(): number {
    return this.#produced;
  }

  /**
   * Sends all records at a rate; each send, one every `tickMs`, takes along what is due. Resolves when all are
   * acknowledged.
   */
  async sendPaced(recordsPerSecond: number, tickMs: number): Promise<void> {
    const startMicros = nowMicros();
    const sends: Promise<void>[] = [];
    while (this.#produced < this.#options.records) {
      const count = this.#due(startMicros, recordsPerSecond);
      // The send is not awaited: a record that is due does not wait for the acknowledgement of those before it. Sends
      // may swap (see sendAll), so a user's next record has to come much later than an acknowledgement takes.
      if (count > 0) sends.push(this.#send(count));
      await delay(tickMs);
    }
    await Promise.all(sends);
  }

  /**
   * Does the same, but each send waits for the acknowledgement of the one before: the order holds however often a user
   * has a record.
   */
  async sendPacedInOrder(recordsPerSecond: number, tickMs: number): Promise<void> {
    const startMicros = nowMicros();
    while (this.#produced < this.#options.records) {
      const count = this.#due(startMicros, recordsPerSecond);
      if (count > 0) await this.#send(count);
      await delay(tickMs);
    }
  }

  /**
   * Sends all records, one send behind the other: kafkajs may swap two that are under way at once, and a receiver would
   * be blamed for it.
   */
  async sendAll(): Promise<void> {
    while (this.#produced < this.#options.records) {
      await this.#send(Math.min(BULK_RECORDS, this.#options.records - this.#produced));
    }
  }

  async disconnect(): Promise<void> {
    await this.#producer.disconnect();
  }

  #due(startMicros: number, recordsPerSecond: number): number {
    const due = Math.floor(((nowMicros() - startMicros) * recordsPerSecond) / 1e6);
    // After a stall much may be due; the rest is due at the next tick.
    return Math.min(due - this.#produced, this.#options.records - this.#produced, BULK_RECORDS);
  }

  async #send(count: number): Promise<void> {
    const first = this.#produced;
    this.#produced += count;
    const messages: Message[] = [];
    for (let n = first; n < first + count; n++) messages.push(this.#message(n));
    await this.#producer.send({ topic: this.#options.kafkaTopic, acks: 1, messages });
    this.acknowledgedAt.fill(nowMicros(), first, first + count);
  }

  #message(n: number): Message {
    const { users, partitions, recordBytes, encode, headers = {} } = this.#options;
    const user = n % users;
    const envelope = loadRecord(n, users, recordBytes);
    const value = encode === undefined ? envelope : encode(envelope);
    this.sentAt[n] = nowMicros();
    return { key: userName(user), value, partition: partitionOf(user, partitions), headers };
  }
}

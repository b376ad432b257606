import { setTimeout as delay } from 'node:timers/promises';
import { KafkajsRecordWriter } from '@ws-gateway/kafka-source';
import { CompactingWriter, TransactionalWriter, readTopic } from '@ws-gateway/testkit';
import type { Logger } from '@ws-gateway/core';
import type { Produced } from './delivery-ledger.js';

export interface SteadyProducerOptions {
  readonly brokers: string;
  readonly kafkaTopic: string;
  readonly users: readonly string[];
  /** Records a second, over all users. */
  readonly rate: number;
  /** Bytes of each record's payload, about. */
  readonly bytes?: number;
  /** Each write is a transaction, and behind it comes one with the same records that is aborted. */
  readonly transactional?: boolean;
  /** The topic is compacted, and holes come between the records. What it holds is not told by `inKafka` then. */
  readonly compacted?: boolean;
}

/** A record of the flow. */
interface Written {
  readonly key: string;
  readonly value: string;
}

interface Writer {
  write(topic: string, records: readonly Written[]): Promise<void>;
  stop(): Promise<void>;
}

const TICK_MS = 20;
const RETRY_MS = 200;
/**
 * Bytes of one write: far below what a broker takes in one request. After a stall of this process there is much to send
 * at once.
 */
const WRITE_BYTES_MAX = 256 * 1024;

/**
 * Writes to all users in turn at an even rate, each user's records numbered from 1 and keyed by the user. Writes that
 * fail are repeated, so a broker that went away may have some of them twice: `inKafka` says what there is.
 */
export class SteadyProducer {
  readonly #options: SteadyProducerOptions;
  readonly #writer: Writer;
  readonly #sequences = new Map<string, number>();
  readonly #filling: string;
  #writing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  #turn = 0;

  constructor(options: SteadyProducerOptions) {
    this.#options = options;
    this.#filling = 'x'.repeat(options.bytes ?? 100);
    this.#writer = writerFor(options);
  }

  start(): void {
    const { rate } = this.#options;
    const startedMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor(((performance.now() - startedMs) * rate) / 1000) - sent;
      sent += due;
      this.#send(due);
    }, TICK_MS);
  }

  /** Sends one more record to every user. */
  sendToAll(): void {
    this.#send(this.#options.users.length);
  }

  /** Returns the newest sequence number of each user. */
  newest(): Map<string, number> {
    return new Map(this.#sequences);
  }

  /** Stops the steady flow; resolves when the broker has acknowledged everything. */
  async pause(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    await this.#writing;
  }

  async close(): Promise<void> {
    await this.pause();
    await this.#writer.stop();
  }

  /** Returns what was sent. Call it after `pause`. */
  sent(): Produced {
    const all = new Map<string, number[]>();
    for (const [user, newest] of this.#sequences)
      all.set(
        user,
        Array.from({ length: newest }, (_, i) => i + 1),
      );
    return all;
  }

  /** Returns what the topic holds. Call it after `pause`. */
  async inKafka(): Promise<Produced> {
    const { kafkaTopic, brokers } = this.#options;
    const all = new Map<string, number[]>(this.#options.users.map((user) => [user, []]));
    for (const { key, value } of await readTopic(kafkaTopic, { brokers })) {
      const { payload } = JSON.parse(value ?? 'null') as { payload: { seq: number } };
      all.get(key ?? '')?.push(payload.seq);
    }
    return all;
  }

  #send(count: number): void {
    const { users } = this.#options;
    const atOnce = Math.max(1, Math.floor(WRITE_BYTES_MAX / (this.#filling.length + 200)));
    for (let left = count; left > 0; left -= atOnce) {
      const records = Array.from({ length: Math.min(left, atOnce) }, () =>
        this.#next(users[this.#turn++ % users.length]!),
      );
      this.#writing = this.#writing.then(() => this.#insist(records));
    }
  }

  #next(user: string): Written {
    const seq = (this.#sequences.get(user) ?? 0) + 1;
    this.#sequences.set(user, seq);
    const payload = { seq, at: Date.now(), filling: this.#filling };
    return { key: user, value: JSON.stringify({ user_id: user, payload }) };
  }

  /** Writes the records again and again as long as there is no broker; everything later waits behind them. */
  async #insist(records: readonly Written[]): Promise<void> {
    for (;;) {
      try {
        await this.#writer.write(this.#options.kafkaTopic, records);
        return;
      } catch (error) {
        if (!(error as { retryable?: boolean }).retryable) throw error;
        await delay(RETRY_MS);
      }
    }
  }
}

function writerFor(options: SteadyProducerOptions): Writer {
  if (options.transactional) return new TransactionalWriter(options.kafkaTopic, options);
  return options.compacted ? new CompactingWriter(options) : createWriter(options.brokers);
}

/**
 * Makes a writer that keeps its connection, unlike `produce` of the testkit, so an acknowledgement is told when it
 * comes.
 */
export function createWriter(brokers: string): KafkajsRecordWriter {
  return new KafkajsRecordWriter({
    brokers: brokers.split(','),
    clientId: 'faults',
    logger: silent,
    queueRecordsMax: 200_000,
  });
}

const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

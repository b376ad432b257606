import type { Logger } from '../logger.js';
import type { OutgoingRecord, RecordWriter } from '../record-source.js';
import type { LabelCounter } from '../stats.js';

/** Number of events that wait while Kafka is away; more are dropped and counted. */
const EVENTS_MAX = 100_000;
const BATCH_MAX = 1000;
const RETRY_MS = 1000;

/**
 * Writes events to a Kafka topic in the order given, without anybody waiting for them: bounded in memory, retried while
 * Kafka is away, at least once.
 */
export class EventLog {
  readonly #writer: RecordWriter;
  readonly #topic: string;
  /** Number of events, by topic, that were given up because the queue was full. */
  readonly #dropped: LabelCounter;
  readonly #logger: Logger;
  readonly #waiting: OutgoingRecord[] = [];
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(deps: { writer: RecordWriter; dropped: LabelCounter; logger: Logger }, topic: string) {
    this.#writer = deps.writer;
    this.#dropped = deps.dropped;
    this.#logger = deps.logger;
    this.#topic = topic;
  }

  add(record: OutgoingRecord): void {
    if (this.#waiting.length >= EVENTS_MAX) {
      this.#dropped.add(this.#topic);
      return;
    }
    this.#waiting.push(record);
    this.#running ??= this.#run();
  }

  /** Resolves when everything is written, or at once when Kafka is away. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH_MAX);
      try {
        await this.#writer.write(this.#topic, batch);
        this.#waiting.splice(0, batch.length);
      } catch (error) {
        this.#logger.warn('events could not be written, trying again', { topic: this.#topic, error });
        if (this.#stopped) break;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
    this.#running = null;
  }
}

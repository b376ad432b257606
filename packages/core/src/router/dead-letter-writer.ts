import type { Logger } from '../logger.js';
import type { OutgoingRecord, RecordWriter, SourceRecord } from '../record-source.js';
import type { Rejection } from '../records/decoded.js';
import type { RouterStats } from '../stats.js';
import type { TopicPolicy } from '../topics.js';
import { Backoff } from './backoff.js';

/** A record that can't be used, and why. */
export interface DeadLetter {
  readonly record: SourceRecord;
  readonly reason: Rejection;
}

/** Where a letter comes from. */
export interface DeadLetterOrigin {
  readonly policy: TopicPolicy;
  readonly partition: number;
}

export interface DeadLetterWriterDeps {
  readonly writer: RecordWriter;
  readonly stats: RouterStats;
  readonly logger: Logger;
}

/** Keeps records that can't be used: writes them to the dead letter topic, however long that takes. */
export class DeadLetterWriter {
  readonly #deps: DeadLetterWriterDeps;
  readonly #topic: string;

  constructor(deps: DeadLetterWriterDeps, topic: string) {
    this.#deps = deps;
    this.#topic = topic;
  }

  /**
   * Says whether the broker has acknowledged all letters; false only when the signal aborted first. A repeated attempt
   * may write a letter twice, never not at all.
   */
  async write(origin: DeadLetterOrigin, deadLetters: readonly DeadLetter[], signal: AbortSignal): Promise<boolean> {
    const outgoing = deadLetters.map((deadLetter) => toDeadLetterRecord(origin, deadLetter));
    const backoff = new Backoff();
    for (;;) {
      if (signal.aborted) return false;
      try {
        await this.#writeOnce(outgoing);
        this.#count(origin, deadLetters);
        return true;
      } catch (error) {
        const { stats, logger } = this.#deps;
        stats.kafkaErrors.add('dead_letter_write');
        const level = backoff.isFresh ? 'warn' : 'debug';
        logger[level]('dead letters not written, will be tried again', { topic: this.#topic, error: String(error) });
        await backoff.wait(signal);
      }
    }
  }

  async #writeOnce(deadLetters: readonly OutgoingRecord[]): Promise<void> {
    try {
      await this.#deps.writer.write(this.#topic, deadLetters);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      for (const deadLetter of deadLetters) await this.#writeAlone(deadLetter);
    }
  }

  /**
   * With its headers a dead letter is larger than the record was, so the broker may refuse what it accepted before, and
   * would refuse it for ever. Then the headers alone must do: they say where the record itself can be read.
   */
  async #writeAlone(deadLetter: OutgoingRecord): Promise<void> {
    try {
      await this.#deps.writer.write(this.#topic, [deadLetter]);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      const headers = Object.fromEntries(
        Object.entries(deadLetter.headers ?? {}).filter(([name]) => name.startsWith('dlq-')),
      );
      this.#deps.logger.error('dead letter too large for the broker, written without key and value', headers);
      await this.#deps.writer.write(this.#topic, [{ key: null, value: null, headers }]);
    }
  }

  #count({ policy, partition }: DeadLetterOrigin, deadLetters: readonly DeadLetter[]): void {
    const { stats, logger } = this.#deps;
    const counter = stats.deadLetters.get(policy.name);
    for (const { record, reason } of deadLetters) {
      counter?.add(reason.error);
      logger.debug('dead letter', { topic: policy.kafkaTopic, partition, offset: record.offset, reason: reason.error });
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'record_too_large';
}

function toDeadLetterRecord({ policy, partition }: DeadLetterOrigin, { record, reason }: DeadLetter): OutgoingRecord {
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      'dlq-topic': policy.kafkaTopic,
      'dlq-partition': String(partition),
      'dlq-offset': String(record.offset),
      'dlq-error': reason.error,
      'dlq-message': reason.message,
    },
  };
}

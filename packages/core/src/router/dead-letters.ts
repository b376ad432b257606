import type { Logger } from '../logger.js';
import type { OutgoingRecord, RecordWriter, SourceRecord } from '../record-source.js';
import type { DeadLetter } from '../records/decoded.js';
import type { RouterStats } from '../stats.js';
import type { TopicPolicy } from '../topics.js';
import { Backoff } from './backoff.js';

/** A record that can't be used, and why. */
export interface Letter {
  readonly record: SourceRecord;
  readonly reason: DeadLetter;
}

/** Where a letter comes from. */
export interface LetterOrigin {
  readonly policy: TopicPolicy;
  readonly partition: number;
}

export interface DeadLettersDeps {
  readonly writer: RecordWriter;
  readonly stats: RouterStats;
  readonly logger: Logger;
}

/** Keeps records that can't be used: writes them to the dead letter topic, however long that takes. */
export class DeadLetters {
  readonly #deps: DeadLettersDeps;
  readonly #topic: string;

  constructor(deps: DeadLettersDeps, topic: string) {
    this.#deps = deps;
    this.#topic = topic;
  }

  /**
   * Says whether the broker has acknowledged all letters; false only when the signal aborted first. A repeated attempt
   * may write a letter twice, never not at all.
   */
  async write(origin: LetterOrigin, letters: readonly Letter[], signal: AbortSignal): Promise<boolean> {
    const outgoing = letters.map((letter) => toDeadLetterRecord(origin, letter));
    const backoff = new Backoff();
    for (;;) {
      if (signal.aborted) return false;
      try {
        await this.#writeOnce(outgoing);
        this.#count(origin, letters);
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

  async #writeOnce(letters: readonly OutgoingRecord[]): Promise<void> {
    try {
      await this.#deps.writer.write(this.#topic, letters);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      for (const letter of letters) await this.#writeAlone(letter);
    }
  }

  /**
   * With its headers a dead letter is larger than the record was, so the broker may refuse what it accepted before, and
   * would refuse it for ever. Then the headers alone must do: they say where the record itself can be read.
   */
  async #writeAlone(letter: OutgoingRecord): Promise<void> {
    try {
      await this.#deps.writer.write(this.#topic, [letter]);
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      const headers = Object.fromEntries(
        Object.entries(letter.headers ?? {}).filter(([name]) => name.startsWith('dlq-')),
      );
      this.#deps.logger.error('dead letter too large for the broker, written without key and value', headers);
      await this.#deps.writer.write(this.#topic, [{ key: null, value: null, headers }]);
    }
  }

  #count({ policy, partition }: LetterOrigin, letters: readonly Letter[]): void {
    const { stats, logger } = this.#deps;
    const counter = stats.deadLetters.get(policy.name);
    for (const { record, reason } of letters) {
      counter?.add(reason.error);
      logger.debug('dead letter', { topic: policy.kafkaTopic, partition, offset: record.offset, reason: reason.error });
    }
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'record_too_large';
}

function toDeadLetterRecord({ policy, partition }: LetterOrigin, { record, reason }: Letter): OutgoingRecord {
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

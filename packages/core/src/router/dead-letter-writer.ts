import type { Logger } from '../logger.js';
import type { OutgoingRecord, RecordWriter, SourceRecord } from '../record-source.js';
import type { Rejection } from '../records/decoded.js';
import type { RouterStats } from '../stats.js';
import type { TopicPolicy } from '../topics.js';
import { Backoff } from '../backoff.js';
import { DeadLetterLog } from './dead-letter-log.js';

/** A record that cannot be used, and why. */
export interface DeadLetter {
  readonly record: SourceRecord;
  readonly reason: Rejection;
}

/** Topic and partition that a dead letter comes from. */
export interface DeadLetterOrigin {
  readonly policy: TopicPolicy;
  readonly partition: number;
}

export interface DeadLetterWriterDeps {
  readonly writer: RecordWriter;
  readonly stats: RouterStats;
  readonly logger: Logger;
}

export interface DeadLetterWriterOptions {
  readonly topic: string;
  readonly groupId: string;
}

/**
 * Keeps records that cannot be used: writes them to the dead letter topic, however long Kafka is away. What the broker
 * refuses for good is lost, and says so: one bad record must not stop all that is behind it.
 */
export class DeadLetterWriter {
  readonly #deps: DeadLetterWriterDeps;
  readonly #options: DeadLetterWriterOptions;
  readonly #log: DeadLetterLog;

  constructor(deps: DeadLetterWriterDeps, options: DeadLetterWriterOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#log = new DeadLetterLog(deps.logger);
  }

  /**
   * Says whether each letter was acknowledged or refused for good; false only when the signal aborted first. A repeated
   * attempt may write a letter twice.
   */
  async write(origin: DeadLetterOrigin, deadLetters: readonly DeadLetter[], signal: AbortSignal): Promise<boolean> {
    const outgoing = deadLetters.map((deadLetter) => toDeadLetterRecord(origin, deadLetter, this.#options.groupId));
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
        const fields = { topic: this.#options.topic, error: String(error) };
        logger[backoff.isFresh ? 'warn' : 'debug']('dead letters not written, will be tried again', fields);
        await backoff.wait(signal);
      }
    }
  }

  /** Rejects only when the same attempt may succeed later. */
  async #writeOnce(letters: readonly OutgoingRecord[]): Promise<void> {
    const refusal = await this.#refusalOf(letters);
    if (refusal === null) return;
    // A compacted topic takes no record without a key.
    const keyed = letters.map(withKey);
    if (!isAboutWriter(refusal) && (await this.#refusalOf(keyed)) === null) return;
    for (const letter of keyed) await this.#writeAlone(letter);
  }

  /**
   * With its headers a dead letter is larger than the record was, so the broker may refuse what it accepted before, and
   * would refuse it for ever. Then the headers alone must do: they say where the record itself can be read.
   */
  async #writeAlone(letter: OutgoingRecord): Promise<void> {
    let refusal = await this.#refusalOf([letter]);
    if (refusal?.code === 'record_too_large') {
      const bare = withoutContent(letter);
      this.#deps.logger.error('dead letter too large for the broker, written without its value', { ...bare.headers });
      refusal = await this.#refusalOf([bare]);
    }
    if (refusal !== null) this.#lose(letter, refusal);
  }

  /** null: the broker has them. Rejects when the same attempt may succeed later. */
  async #refusalOf(letters: readonly OutgoingRecord[]): Promise<Refusal | null> {
    try {
      await this.#deps.writer.write(this.#options.topic, letters);
      return null;
    } catch (error) {
      const refusal = toRefusal(error);
      if (refusal === null) throw error;
      return refusal;
    }
  }

  #lose(letter: OutgoingRecord, { code, reason }: Refusal): void {
    const { stats, logger } = this.#deps;
    stats.deadLettersLost.add(reason);
    stats.deadLettersLostMs = performance.now();
    const { topic } = this.#options;
    const from = Object.fromEntries(Object.entries(letter.headers ?? {}).filter(([name]) => name.startsWith('dlq-')));
    logger.error('dead letter refused by the broker, the record is lost', { ...from, topic, code, refusal: reason });
  }

  #count({ policy, partition }: DeadLetterOrigin, deadLetters: readonly DeadLetter[]): void {
    const counter = this.#deps.stats.deadLetters.get(policy.name);
    for (const { record, reason } of deadLetters) {
      counter?.add(reason.error);
      this.#log.add({ topic: policy.kafkaTopic, partition, offset: record.offset, reason });
    }
  }
}

interface Refusal {
  readonly code: string;
  /** The broker's own word. */
  readonly reason: string;
}

/** Codes of errors that are not retryable and yet speak of the connection, not of what was to be written. */
const OF_THE_CONNECTION = new Set(['authentication_failed', 'stopped']);

function toRefusal(error: unknown): Refusal | null {
  const { code, retryable, reason } = error as { code?: unknown; retryable?: unknown; reason?: unknown };
  if (retryable !== false || typeof code !== 'string' || OF_THE_CONNECTION.has(code)) return null;
  return { code, reason: typeof reason === 'string' ? reason : code };
}

/** No other form of the letters would be taken. */
function isAboutWriter({ code }: Refusal): boolean {
  return code === 'not_authorized' || code === 'record_too_large';
}

function toDeadLetterRecord(
  { policy, partition }: DeadLetterOrigin,
  { record, reason }: DeadLetter,
  groupId: string,
): OutgoingRecord {
  return {
    key: record.key,
    value: record.value,
    headers: {
      ...record.headers,
      'dlq-topic': policy.kafkaTopic,
      'dlq-partition': String(partition),
      'dlq-offset': String(record.offset),
      'dlq-timestamp': timeText(record.timestamp),
      'dlq-group': groupId,
      'dlq-error': reason.error,
      'dlq-message': reason.message,
    },
  };
}

/** A producer may have written any number. */
function timeText(timestampMs: number): string {
  const time = new Date(timestampMs);
  return Number.isNaN(time.getTime()) ? '' : time.toISOString();
}

function withKey(letter: OutgoingRecord): OutgoingRecord {
  if (letter.key !== null) return letter;
  const { headers = {} } = letter;
  const place = [headers['dlq-topic'], headers['dlq-partition'], headers['dlq-offset']].map(String);
  return { ...letter, key: place.join(':') };
}

function withoutContent({ headers = {}, ...letter }: OutgoingRecord): OutgoingRecord {
  const own = Object.entries(headers).filter(([name]) => name.startsWith('dlq-'));
  return { key: withKey({ ...letter, headers, key: null }).key, value: null, headers: Object.fromEntries(own) };
}

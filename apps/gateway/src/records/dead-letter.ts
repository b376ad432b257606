import { isUtf8 } from 'node:buffer';
import type { HeaderValue, OutgoingRecord, SourceRecord } from '@ws-gateway/core';

/** A record of the dead letter topic. */
export interface DeadLetter {
  /** Partition of the dead letter topic. */
  readonly partition: number;
  readonly record: SourceRecord;
  /** Kafka's name of the topic it came from; '' when its headers do not say. */
  readonly topic: string;
  readonly reason: string;
  readonly message: string;
  /** `<partition>:<offset>` where it came from. */
  readonly source: string;
  /** Time in ms since the epoch at which it became a dead letter. */
  readonly timeMs: number;
}

export function readDeadLetter(partition: number, record: SourceRecord): DeadLetter {
  const text = (name: string): string => headerText(record.headers[name]) ?? '';
  const time = Date.parse(text('dlq-timestamp'));
  return {
    partition,
    record,
    topic: text('dlq-topic'),
    reason: text('dlq-error'),
    message: text('dlq-message'),
    source: `${text('dlq-partition')}:${text('dlq-offset')}`,
    timeMs: Number.isNaN(time) ? record.timestamp : time,
  };
}

/** The record as it was before it became a dead letter. */
export function originalRecord({ record, topic, source }: DeadLetter): OutgoingRecord {
  const headers = Object.entries(record.headers).filter(([name]) => !name.startsWith('dlq-'));
  const { key, value } = record;
  // A compacted dead letter topic takes no record without a key, so such a record was given one.
  const hadNoKey = key !== null && key.toString() === `${topic}:${source}`;
  return { key: hadNoKey ? null : key, value, headers: Object.fromEntries(headers) };
}

/** Dead letter as people and programs are shown it. */
export interface DeadLetterView {
  readonly topic: string;
  /** The next two say where it came from. */
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  readonly message: string;
  readonly time: string;
  /** Place in the dead letter topic. */
  readonly letter: { readonly partition: number; readonly offset: number };
  readonly key?: string | null;
  /** Bytes that are no text. */
  readonly key_base64?: string;
  readonly value?: string | null;
  readonly value_base64?: string;
  readonly headers: Readonly<Record<string, string | null>>;
}

export function deadLetterView(letter: DeadLetter): DeadLetterView {
  const { partition, record, topic, reason, message, source, timeMs } = letter;
  const [sourcePartition, sourceOffset] = source.split(':').map(Number) as [number, number];
  const headers = Object.entries(originalRecord(letter).headers ?? {}).map(([name, value]) => [
    name,
    headerText(value),
  ]);
  return {
    topic,
    partition: sourcePartition,
    offset: sourceOffset,
    reason,
    message,
    time: new Date(timeMs).toISOString(),
    letter: { partition, offset: record.offset },
    ...bytesView('key', record.key),
    ...bytesView('value', record.value),
    headers: Object.fromEntries(headers) as Record<string, string | null>,
  };
}

function bytesView(name: string, bytes: Buffer | null): Record<string, string | null> {
  if (bytes === null) return { [name]: null };
  return isUtf8(bytes) ? { [name]: bytes.toString('utf8') } : { [`${name}_base64`]: bytes.toString('base64') };
}

/** The last one counts of several; bytes that are no text are base64. */
function headerText(value: HeaderValue): string | null {
  if (Array.isArray(value)) return headerText(value.at(-1) as HeaderValue);
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  const bytes = Buffer.from(value as Uint8Array);
  return isUtf8(bytes) ? bytes.toString('utf8') : bytes.toString('base64');
}

import { isUtf8 } from 'node:buffer';
import type { HeaderValue, SourceRecord } from '../record-source.js';
import { reject, type Rejection } from './decoded.js';

/** Content of a record's headers; null: the header is absent. */
export interface RecordHeaders {
  readonly id: string | null;
  readonly type: string | null;
  readonly ttlMs: number | null;
}

/**
 * Header on a record of a block that its writer takes to the engine himself, too (see BlockItem.step). Its value means
 * nothing; the step has the name of the header `ws-id`.
 */
export const APPLIED_HEADER = 'ws-applied';

const none: RecordHeaders = { id: null, type: null, ttlMs: null };

/**
 * Reads the headers but `ws-audience`, which audience.ts reads: some topics do not honour it, and then it may hold
 * anything.
 */
export function readHeaders(record: SourceRecord): RecordHeaders | Rejection {
  const { headers } = record;
  const id = headers['ws-id'];
  const type = headers['ws-type'];
  const ttl = headers['ws-ttl-ms'];
  if (id === undefined && type === undefined && ttl === undefined) return none;
  const idText = headerText(id);
  const typeText = headerText(type);
  const ttlMs = parseTtl(headerText(ttl));
  if (idText === undefined || typeText === undefined) {
    return reject('bad_member', `header ${idText === undefined ? 'ws-id' : 'ws-type'} is not UTF-8 text`);
  }
  if (ttlMs === undefined) return reject('bad_member', 'header ws-ttl-ms is not a whole number of milliseconds');
  return { id: idText || null, type: typeText || null, ttlMs };
}

/**
 * Reads a header as text: null when it is absent, undefined when it is no text. Kafka allows a header several times;
 * the last one counts, as for Kafka's own `lastHeader`.
 */
export function headerText(value: HeaderValue): string | null | undefined {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return utf8Text(value);
  return headerText((value as Extract<HeaderValue, readonly unknown[]>).at(-1));
}

function utf8Text(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/**
 * Reads an age limit; undefined when it cannot be read. Such a record is a dead letter: its producer wanted an age
 * limit, and to deliver without one, or with the topic's, would be a guess. 0 means no limit, as in the configuration,
 * and so lifts the topic's.
 */
function parseTtl(text: string | null | undefined): number | null | undefined {
  if (text === null) return null;
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

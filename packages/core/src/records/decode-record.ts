import { isUtf8 } from 'node:buffer';
import type { SourceRecord } from '../record-source.js';
import type { TopicPolicy } from '../topics.js';
import { reject, type Decoded, type DecodeContext } from './decoded.js';
import { decodeEnvelope } from './envelope.js';
import { readHeaders } from './headers.js';
import { isWritableTime } from './rfc3339.js';
import { decodeSubscriptionUpdate } from './subscription-update.js';

/**
 * Turns a Kafka record into messages with finished frames, or says why it can't be used. Never throws, whatever the
 * record holds.
 */
export function decodeRecord(policy: TopicPolicy, record: SourceRecord, context: DecodeContext): Decoded {
  const { value } = record;
  if (value === null || value.length === 0) return reject('empty', 'the record has no value');
  if (value.length > context.maxRecordBytes) {
    return reject('too_large', `${value.length} bytes exceed limits.maxRecordBytes (${context.maxRecordBytes})`);
  }
  const headers = readHeaders(record);
  if ('kind' in headers) return headers;
  const timeMs = recordTime(record, context);
  const ttlMs = headers.ttlMs ?? policy.ttlMs;
  // Before parsing: a router that catches up after a long stop meets many of these.
  if (ttlMs > 0 && context.nowMs - timeMs > ttlMs) return { kind: 'expired' };
  // Without this check broken bytes would silently become U+FFFD.
  if (!isUtf8(value)) return reject('not_json', 'the value is not UTF-8');
  const input: DecodeInput = { policy, record, context, headers, timeMs, text: value.toString('utf8') };
  return policy.format === 'wss' ? decodeSubscriptionUpdate(input) : decodeEnvelope(input);
}

/** A record whose value is text and young enough. */
export interface DecodeInput {
  readonly policy: TopicPolicy;
  readonly record: SourceRecord;
  readonly context: DecodeContext;
  readonly headers: { readonly id: string | null; readonly type: string | null };
  readonly timeMs: number;
  readonly text: string;
}

/** A producer may write any number as the time of a record; what is no time of our calendar counts as now. */
function recordTime(record: SourceRecord, context: DecodeContext): number {
  return isWritableTime(record.timestamp) ? record.timestamp : context.nowMs;
}

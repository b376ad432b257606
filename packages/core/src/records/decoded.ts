import type { ExpiredItem, PublishItem } from '../engine.js';
import type { Retention } from '../streams.js';

/** Why a record cannot be used: the values of header `dlq-error`. */
export const rejectionCodes = [
  'empty',
  'not_json',
  'not_object',
  'no_payload',
  'no_audience',
  'bad_audience',
  'bad_member',
  'too_large',
  'unknown_type',
  'no_pointer',
  'bad_timestamp',
  'not_text',
  'bad_magic',
  'unknown_schema',
  'bad_schema_data',
] as const;

export type RejectionCode = (typeof rejectionCodes)[number];

/** Result of decoding a record. One for three users is three items with one source offset. */
export type Decoded = DecodedItems | Rejection | Expired | Skipped | Pending;

export interface DecodedItems {
  readonly kind: 'items';
  /** The message type, for counting. */
  readonly type: string;
  readonly items: readonly PublishItem[];
}

export interface Rejection {
  readonly kind: 'dead_letter';
  readonly error: RejectionCode;
  /** Message for the operator who reads the dead letter topic. */
  readonly message: string;
}

export interface Expired {
  readonly kind: 'expired';
  /** What the engine is told all the same, where the outcome of messages is wanted. */
  readonly items: readonly ExpiredItem[];
}

/** The topic's configuration wants no message of this record: `when`, or `tombstone: skip`. */
export interface Skipped {
  readonly kind: 'skipped';
}

/** The record cannot be read yet: its schema is being fetched. */
export interface Pending {
  readonly kind: 'pending';
  /** Resolves when it is worth while to decode the record again. Never rejects. */
  readonly ready: Promise<void>;
}

export const skipped: Skipped = { kind: 'skipped' };

/** Nobody is told. */
export const expired: Expired = { kind: 'expired', items: [] };

export function reject(error: RejectionCode, message: string): Rejection {
  return { kind: 'dead_letter', error, message };
}

/** Context that decoding needs besides the record and its topic's policy. */
export interface DecodeContext {
  readonly partition: number;
  readonly nowMs: number;
  readonly maxRecordBytes: number;
  /** Trace context that the messages of this record carry; absent: none. */
  readonly span?: { readonly trace: string; readonly inFrame: boolean };
  /** History of rooms is the rooms' own, whatever topic the message came by. */
  readonly roomRetention: Retention | null;
}

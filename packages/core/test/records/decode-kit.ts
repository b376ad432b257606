import type { SourceRecord } from '../../src/index.js';
import { RecordDecoder } from '../../src/records/record-decoder.js';
import type { DecodeContext, Decoded } from '../../src/records/decoded.js';
import type { PublishItem, TopicPolicy } from '../../src/index.js';

export const NOW_MS = Date.parse('2026-06-01T12:00:00Z');

const context: DecodeContext = { partition: 3, nowMs: NOW_MS, maxRecordBytes: 10_000, roomRetention: null };

/** A record; a value that is no text or bytes is written as JSON. */
export function record(value: unknown, changes: Partial<SourceRecord> = {}): SourceRecord {
  const bytes = Buffer.isBuffer(value) || value === null ? value : Buffer.from(textOf(value));
  return { offset: 42, timestamp: NOW_MS - 1000, key: null, headers: {}, ...changes, value: bytes };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export function decode(policy: TopicPolicy, source: SourceRecord, changes: Partial<DecodeContext> = {}): Decoded {
  return new RecordDecoder(policy, null).decode(source, { ...context, ...changes });
}

/** What one decoder makes of the last of these records. */
export function decodeLast(policy: TopicPolicy, sources: readonly SourceRecord[]): Decoded {
  const decoder = new RecordDecoder(policy, null);
  return sources.map((source) => decoder.decode(source, context)).at(-1)!;
}

export function items(decoded: Decoded): readonly PublishItem[] {
  if (decoded.kind !== 'items') throw new Error(`expected items, got ${JSON.stringify(decoded)}`);
  return decoded.items;
}

/** 'items', 'expired' or the reason of the dead letter. */
export function verdict(decoded: Decoded): string {
  return decoded.kind === 'dead_letter' ? decoded.error : decoded.kind;
}

/** The finished frame of the only item. */
export function frame(decoded: Decoded): Record<string, unknown> {
  const all = items(decoded);
  if (all.length !== 1) throw new Error(`expected one item, got ${all.length}`);
  const { head } = all[0]!;
  return JSON.parse(head.endsWith('"epoch":"') ? `${head}e","offset":1}` : head) as Record<string, unknown>;
}

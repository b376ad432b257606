import { randomBytes } from 'node:crypto';
import { headerText } from '../records/headers.js';
import type { SourceRecord } from '../record-source.js';

/** One step of a message, as OpenTelemetry knows it. Ids are in hex: 16 bytes of a trace, 8 of a span. */
export interface Span {
  readonly name: 'consume' | 'route' | 'deliver';
  readonly traceId: string;
  readonly spanId: string;
  /** Id of the span that caused it; '' for none. */
  readonly parentId: string;
  /** ms since the epoch, with what there is behind the point. */
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** Takes spans at once and without anybody waiting; what becomes of them is its own matter. */
export interface SpanSink {
  /** Share of the records without a trace context that get one, 0 to 1. */
  readonly ratio: number;
  /** Frames say their context. */
  readonly inFrames: boolean;
  add(span: Span): void;
}

/** Where a message comes from, as the next step is told. */
export interface SpanContext {
  readonly traceId: string;
  readonly parentId: string;
}

/** A record of which spans are wanted. */
export interface SpannedRecord {
  readonly record: SourceRecord;
  readonly context: SpanContext;
  /** Ids of the spans that it will have. */
  readonly consumeId: string;
  readonly routeId: string;
}

/** https://www.w3.org/TR/trace-context/#traceparent-header, and what later versions may put behind it. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:$|-)/;

const SAMPLED = 1;

/** Decides about a record: as its header says, else by the ratio. null: no spans. */
export function spannedRecord(record: SourceRecord, ratio: number): SpannedRecord | null {
  const text = headerText(record.headers['traceparent']);
  // A header that cannot be read counts as none, says the standard.
  const known = typeof text === 'string' ? parseTraceparent(text) : null;
  if (known === 'unsampled' || (known === null && Math.random() >= ratio)) return null;
  const context = known ?? { traceId: hexId(16), parentId: '' };
  return { record, context, consumeId: hexId(8), routeId: hexId(8) };
}

/** null: it is none. */
export function parseTraceparent(text: string): SpanContext | 'unsampled' | null {
  const match = TRACEPARENT.exec(text);
  if (match === null) return null;
  const [, traceId, parentId, flags] = match;
  return (Number.parseInt(flags!, 16) & SAMPLED) === 0 ? 'unsampled' : { traceId: traceId!, parentId: parentId! };
}

export function traceparentOf({ context, routeId }: SpannedRecord): string {
  return `00-${context.traceId}-${routeId}-01`;
}

export function hexId(bytes: number): string {
  return randomBytes(bytes).toString('hex');
}

import { endByDefect } from '../defects.js';
import type { PublishItem } from '../engine.js';
import type { SourceRecord } from '../record-source.js';
import type { DecodeContext, Decoded, Pending } from '../records/decoded.js';
import type { RecordDecoder } from '../records/record-decoder.js';
import type { Retention } from '../streams.js';
import type { RouterStats } from '../stats.js';
import type { TopicPolicy } from '../topics.js';
import type { DeadLetter } from './dead-letter-writer.js';
import { traceChunk } from './chunk-trace.js';
import { RecordSpans, spanMembers } from '../spans/record-spans.js';
import { spannedRecord, type SpannedRecord, type SpanSink } from '../spans/span.js';
import type { Tracing } from '../trace/tracing.js';
import type { RecordQueue } from './record-queue.js';

/** A run of records of one partition, decoded: what goes to the engine in one call. */
export interface Chunk {
  readonly items: readonly PublishItem[];
  /** The records themselves, for the letters that may have to be written of them. */
  readonly records: readonly SourceRecord[];
  readonly lastOffset: number;
  /** Spans of its records; null: none are wanted. */
  readonly spans: RecordSpans | null;
  /** Bytes that the records count in the lane's queue. */
  readonly bytes: number;
  state: 'ready' | 'in_flight' | 'applied';
  /** A call was made with it. */
  tried: boolean;
  /** Number of jobs (publishing, writing dead letters) that are not done yet. At 0 the chunk is settled. */
  open: number;
}

/** Items whose frames take a turn of the loop to make: they are published in another one. */
const WIDE_ITEMS = 512;

export function isTurnsWork({ items }: Chunk): boolean {
  return items.length > WIDE_ITEMS;
}

export interface ChunkLimits {
  readonly chunkRecords: number;
  /** Bytes of records, or of the frames made from them, whichever is more. One record always fits. */
  readonly chunkBytes: number;
  readonly maxRecordBytes: number;
  readonly roomRetention: Retention | null;
  readonly perUserStats: boolean;
}

export interface ChunkDecoderDeps {
  readonly stats: RouterStats;
  readonly decoder: RecordDecoder;
  readonly tracing: Tracing;
  /** null: spans are wanted of no record. */
  readonly spans: SpanSink | null;
  readonly now: () => number;
  /** Called when a record that could not be read yet can be. */
  readonly readable: () => void;
}

/** Takes records of one partition from its queue and decodes them, a chunk at a time. Counts each record once. */
export class ChunkDecoder {
  readonly #deps: ChunkDecoderDeps;
  readonly #origin: { readonly policy: TopicPolicy; readonly partition: number };
  readonly #limits: ChunkLimits;
  #waiting = false;

  constructor(
    deps: ChunkDecoderDeps,
    origin: { readonly policy: TopicPolicy; readonly partition: number },
    limits: ChunkLimits,
  ) {
    this.#deps = deps;
    this.#origin = origin;
    this.#limits = limits;
  }

  /** The next record cannot be read yet, so there is nothing to take. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Takes a chunk; null when the queue is empty, or its first record cannot be read yet. */
  take(queue: RecordQueue): { chunk: Chunk; deadLetters: DeadLetter[] } | null {
    if (this.#waiting) return null;
    const { chunkRecords, chunkBytes } = this.#limits;
    const context: DecodeContext = { ...this.#limits, partition: this.#origin.partition, nowMs: this.#deps.now() };
    const { spans } = this.#deps;
    const made: Made = { items: [], deadLetters: [], records: [], spans: null, frameLength: 0 };
    const bytesBefore = queue.bytes;
    let bytes = 0;
    while (made.records.length < chunkRecords && Math.max(bytes, made.frameLength) < chunkBytes) {
      const record = queue.peek();
      if (record === undefined) break;
      const spanned = spans === null ? null : spannedRecord(record, spans.ratio);
      const decoded = this.#deps.decoder.decode(
        record,
        spanned === null ? context : { ...context, span: spanMembers(spanned, spans!) },
      );
      if (decoded.kind === 'pending') {
        this.#wait(decoded);
        break;
      }
      queue.take();
      bytes = bytesBefore - queue.bytes;
      made.records.push(record);
      if (spanned !== null) made.spans = this.#consumed(spanned, made.spans);
      this.#add(record, decoded, made);
    }
    if (made.records.length === 0) return null;
    this.#deps.stats.messagesProcessed.add(this.#origin.policy.name, made.records.length);
    const { tracer } = this.#deps.tracing;
    if (tracer !== null) traceChunk(tracer, made.records, { ...this.#deps, ...this.#origin, context });
    const { items, deadLetters, records } = made;
    const open = (items.length > 0 ? 1 : 0) + (deadLetters.length > 0 ? 1 : 0);
    const lastOffset = records.at(-1)!.offset;
    const state = items.length > 0 ? 'ready' : 'applied';
    return {
      deadLetters,
      chunk: { items, records, spans: made.spans, lastOffset, bytes, open, state, tried: false },
    };
  }

  #consumed(spanned: SpannedRecord, before: RecordSpans | null): RecordSpans {
    const { policy, partition } = this.#origin;
    const spans = before ?? new RecordSpans(this.#deps.spans!, { topic: policy.kafkaTopic, partition });
    spans.consumed(spanned);
    return spans;
  }

  #wait({ ready }: Pending): void {
    this.#waiting = true;
    ready
      .then(() => {
        this.#waiting = false;
        this.#deps.readable();
      })
      .catch(endByDefect);
  }

  #add(record: SourceRecord, decoded: Exclude<Decoded, Pending>, made: Made): void {
    const { stats } = this.#deps;
    const { policy } = this.#origin;
    if (decoded.kind === 'items') {
      stats.messagesByType.add(decoded.type);
      for (const item of decoded.items) {
        made.items.push(item);
        made.frameLength += item.head.length;
        if (this.#limits.perUserStats && 'user' in item) stats.messagesByUser.add(item.user);
      }
    } else if (decoded.kind === 'expired') {
      stats.expired.add(policy.name);
      made.items.push(...decoded.items);
    } else if (decoded.kind === 'skipped') {
      stats.skipped.add(policy.name);
    } else {
      if (decoded.error === 'not_json' || decoded.error === 'not_object') stats.deserializeErrors++;
      made.deadLetters.push({ record, reason: decoded });
    }
  }
}

interface Made {
  readonly items: PublishItem[];
  readonly deadLetters: DeadLetter[];
  readonly records: SourceRecord[];
  spans: RecordSpans | null;
  /** Length in characters: frames are mostly ASCII, and this is a bound, not an account. */
  frameLength: number;
}

import type { HistoryPage, PublishItem } from '../engine.js';
import type { StreamMessage } from '../inbox.js';
import type { Position, Retention, StreamName } from '../streams.js';

interface Entry {
  readonly offset: number;
  readonly acceptedMs: number;
  readonly recordTimeMs: number;
  readonly endsAtMs: number;
  readonly source: number;
  readonly sourceOffset: number;
  /** Frame as bytes: as text, made of many pieces, kept frames made garbage collection the dearest part of a burst. */
  readonly frame: Uint8Array;
}

interface ReadOptions {
  readonly limit: number;
  readonly bytesMax: number;
  readonly nowMs: number;
}

const EPOCH_KEPT_MS_MIN = 86_400_000;
const UNWRITTEN_KEPT_MS = 120_000;

/** Epoch, top and history of one stream. */
export class MemoryStream {
  readonly name: StreamName;
  readonly epoch: string;
  offset = 0;
  acknowledged = 0;
  #entries: Entry[] = [];
  #forgetAtMs = 0;

  constructor(name: StreamName, epoch: string) {
    this.name = name;
    this.epoch = epoch;
  }

  /**
   * Prolongs the epoch, which outlives the messages: a client that comes back within a day must not be told that
   * history was lost.
   */
  touch({ ttlMs }: Retention, nowMs: number): void {
    this.#forgetAtMs = nowMs + Math.max(2 * ttlMs, EPOCH_KEPT_MS_MIN);
  }

  /** Nobody is subscribed any more: an epoch under which nothing was written is not needed for long. */
  leave(nowMs: number): void {
    if (this.offset === 0) this.#forgetAtMs = nowMs + UNWRITTEN_KEPT_MS;
  }

  isForgotten(nowMs: number): boolean {
    return this.#forgetAtMs <= nowMs;
  }

  /** Appends a message; returns its frame. */
  append(
    item: Pick<PublishItem, 'head' | 'recordTimeMs' | 'endsAtMs' | 'sourceOffset'>,
    retention: Retention,
    { source, nowMs }: { readonly source: number; readonly nowMs: number },
  ): Uint8Array {
    this.touch(retention, nowMs);
    const offset = ++this.offset;
    const frame = Buffer.from(`${item.head}${this.epoch}","offset":${offset}}`);
    const { recordTimeMs, endsAtMs = 0 } = item;
    const sourceOffset = source === 0 ? 0 : item.sourceOffset;
    const entry = { offset, acceptedMs: nowMs, recordTimeMs, endsAtMs, source, sourceOffset, frame };
    if (retention.mode === 'latest') this.#entries = [entry];
    else {
      this.#entries.push(entry);
      // Entries are not removed one by one: moving the rest down costs as much for one as for many.
      if (this.#entries.length > retention.size * 1.25 + 8)
        this.#entries.splice(0, this.#entries.length - retention.size);
    }
    return frame;
  }

  /** Number of messages that a reader would find. */
  kept(retention: Retention, nowMs: number): number {
    return this.#kept(retention, nowMs).length;
  }

  read(retention: Retention, after: Position | null, options: ReadOptions): HistoryPage {
    this.touch(retention, options.nowMs);
    const known = after === null || isWithin(after, this);
    const from = known && after !== null ? after.offset : 0;
    const kept = this.#kept(retention, options.nowMs).filter((entry) => entry.offset > from);
    const first = kept[0]?.offset ?? this.offset + 1;
    // In `latest` mode nothing but the newest value was promised.
    const complete = retention.mode === 'latest' ? kept.length > 0 || from >= this.offset : first === from + 1;
    return {
      epoch: this.epoch,
      offset: this.offset,
      recovered: known && complete,
      messages: firstOf(kept, options).map((entry) => this.#message(entry)),
    };
  }

  #kept({ mode, size, ttlMs }: Retention, nowMs: number): Entry[] {
    const entries = this.#entries.slice(mode === 'latest' ? -1 : -size);
    return entries.filter((entry) => entry.acceptedMs >= nowMs - ttlMs);
  }

  #message(entry: Entry): StreamMessage {
    return { stream: this.name, epoch: this.epoch, ...entry, except: '', seen: false };
  }
}

/** One at least, if any is asked for. */
function firstOf(entries: readonly Entry[], { limit, bytesMax }: ReadOptions): readonly Entry[] {
  const within = entries.slice(0, Math.max(0, limit));
  let bytes = 0;
  const end = within.findIndex(({ frame }, at) => (bytes += frame.length) > bytesMax && at > 0);
  return end < 0 ? within : within.slice(0, end);
}

function isWithin(after: Position, stream: MemoryStream): boolean {
  if (!Number.isSafeInteger(after.offset) || after.offset < 0) return false;
  return after.epoch === stream.epoch && after.offset <= stream.offset;
}

/** Makes an epoch of at least six characters of base 36. */
export function newEpoch(): string {
  return Math.floor(36 ** 5 + Math.random() * (36 ** 9 - 36 ** 5)).toString(36);
}

import type { HistoryPage, PublishItem } from '../engine.js';
import type { StreamMessage } from '../inbox.js';
import type { Position, Retention, StreamName } from '../streams.js';
import { EPOCH_KEPT_MS_MIN } from './unwritten-epochs.js';

interface Entry {
  readonly offset: number;
  readonly acceptedMs: number;
  readonly recordTimeMs: number;
  readonly endsAtMs: number;
  readonly source: number;
  readonly sourceOffset: number;
  /** Frame as bytes: as text, made of many pieces, kept frames made garbage collection the dearest part of a burst. */
  readonly frame: Uint8Array;
  /** Length of the frame without its position. */
  readonly bytes: number;
}

interface ReadOptions {
  readonly limit: number;
  readonly bytesMax: number;
  readonly nowMs: number;
}

/** Epoch, top and history of one stream. */
export class MemoryStream {
  readonly name: StreamName;
  readonly epoch: string;
  /** Epochs that were told before anything was written. */
  readonly #toldBefore: readonly string[];
  offset = 0;
  acknowledged = 0;
  readonly #entries: Entry[] = [];
  /** Sum of what the entries have. */
  #bytes = 0;
  /** When those that are too old are looked for. */
  #trimAtMs = 0;
  #forgetAtMs = 0;

  constructor(name: StreamName, [epoch, ...toldBefore]: readonly [string, ...string[]]) {
    this.name = name;
    this.epoch = epoch;
    this.#toldBefore = toldBefore;
  }

  /**
   * Prolongs the epoch, which outlives the messages: a client that comes back within a day must not be told that
   * history was lost.
   */
  touch({ ttlMs }: Retention, nowMs: number): void {
    this.#forgetAtMs = nowMs + Math.max(2 * ttlMs, EPOCH_KEPT_MS_MIN);
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
    const position = `${this.epoch}","offset":${offset}}`;
    const frame = Buffer.from(item.head + position);
    const { recordTimeMs, endsAtMs = 0 } = item;
    const sourceOffset = source === 0 ? 0 : item.sourceOffset;
    const bytes = frame.length - position.length;
    this.#entries.push({ offset, acceptedMs: nowMs, recordTimeMs, endsAtMs, source, sourceOffset, frame, bytes });
    this.#bytes += bytes;
    this.#trim(retention, nowMs);
    return frame;
  }

  /** Takes away what a reader would not find. Not one by one: moving the rest down costs as much for one as for many. */
  #trim({ mode, size, ttlMs, bytesMax = 0 }: Retention, nowMs: number): void {
    const most = mode === 'latest' ? 1 : size;
    const slack = mode === 'latest' ? 0 : size / 4 + 8;
    const entries = this.#entries;
    let surplus = entries.length > most + slack ? entries.length - most : 0;
    if (nowMs >= this.#trimAtMs) {
      this.#trimAtMs = nowMs + ttlMs / 4;
      const young = entries.findIndex(({ acceptedMs }) => acceptedMs >= nowMs - ttlMs);
      surplus = Math.max(surplus, young);
    }
    let bytes = this.#bytes;
    for (let at = 0; at < surplus; at++) bytes -= entries[at]!.bytes;
    while (bytesMax > 0 && bytes > bytesMax && surplus < entries.length - 1) bytes -= entries[surplus++]!.bytes;
    this.#bytes = bytes;
    if (surplus > 0) entries.splice(0, surplus);
  }

  /** Number of messages that a reader would find. */
  kept(retention: Retention, nowMs: number): number {
    return this.#kept(retention, nowMs).length;
  }

  read(retention: Retention, after: Position | null, options: ReadOptions): HistoryPage {
    this.touch(retention, options.nowMs);
    const known = after === null || this.#has(after);
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

  #has({ epoch, offset }: Position): boolean {
    if (!Number.isSafeInteger(offset) || offset < 0) return false;
    return epoch === this.epoch ? offset <= this.offset : offset === 0 && this.#toldBefore.includes(epoch);
  }

  #kept({ mode, size, ttlMs }: Retention, nowMs: number): Entry[] {
    const entries = this.#entries.slice(mode === 'latest' ? -1 : -size);
    return entries.filter((entry) => entry.acceptedMs >= nowMs - ttlMs);
  }

  #message({ bytes: _, ...entry }: Entry): StreamMessage {
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

/** Makes an epoch of at least six characters of base 36. */
export function newEpoch(): string {
  return Math.floor(36 ** 5 + Math.random() * (36 ** 9 - 36 ** 5)).toString(36);
}

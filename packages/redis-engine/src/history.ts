import type { HistoryPage, Position, RetainedStream, Retention, StreamMessage } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import { epochForLook } from './epoch.js';
import type { Keys } from './keys.js';
import type { RecentRecords } from './recent-records.js';
import type { ScriptLink } from './script-link.js';
import { decodeEntry } from './wire.js';

/** Three half days: see scripts/include/tops.lua, which counts on it. */
const META_TTL_MIN_MS = 129_600_000;

/** The epoch outlives the messages: who comes back within a day must not be told that history was lost. */
export function metaTtlMs({ ttlMs }: Retention): number {
  return Math.max(2 * ttlMs, META_TTL_MIN_MS);
}

/** A user's streams lie beside the user's presence, every other one by its own name. */
export function partitionOfStream(keys: Keys, { user, stream }: RetainedStream): number {
  return keys.partitionOf(user ?? stream);
}

export class History {
  readonly #calls: Calls;
  readonly #keys: Keys;
  readonly #recent: RecentRecords;

  constructor(calls: Calls, keys: Keys, recent: RecentRecords) {
    this.#calls = calls;
    this.#keys = keys;
    this.#recent = recent;
  }

  async read(
    stream: RetainedStream,
    after: Position | null,
    limit: number,
    bytesMax = Number.MAX_SAFE_INTEGER,
  ): Promise<HistoryPage> {
    const partition = partitionOfStream(this.#keys, stream);
    const link = this.#calls.of(partition);
    const { mode, size, ttlMs } = stream.retention;
    const args = [
      epochForLook(link),
      metaTtlMs(stream.retention),
      mode === 'latest' ? 'l' : 'o',
      mode === 'latest' ? 1 : size,
      ttlMs,
      // A position comes from outside: one that cannot be is treated as one of another epoch.
      after === null ? '' : after.epoch || '-',
      after !== null && Number.isSafeInteger(after.offset) && after.offset >= 0
        ? after.offset
        : Number.MAX_SAFE_INTEGER,
      limit,
      bytesMax,
      stream.stream,
    ];
    const call = { keys: [this.#keys.base(partition)], args, buffers: true };
    const reply = await link.run<(Buffer | number)[]>('read', call);
    const [epochBytes, top, recovered, before, ...entries] = reply as [Buffer, number, number, number, ...Buffer[]];
    const epoch = epochBytes.toString();
    const messages: StreamMessage[] = [];
    for (let at = 0; at < entries.length; at += 2) {
      const position = { epoch, offset: before + 1 + at / 2 };
      const entry = [entries[at]!, entries[at + 1]!] as const;
      messages.push(decodeEntry(entry, { stream: stream.stream, ...position }, this.#recent));
    }
    return { epoch, offset: top, recovered: recovered === 1, messages };
  }

  async acknowledge(stream: RetainedStream, offset: number): Promise<boolean> {
    const link = this.#linkOf(stream);
    const args = [epochForLook(link), metaTtlMs(stream.retention), offset, stream.stream];
    return (await link.run<number>('acknowledge', { keys: [this.#baseOf(stream)], args })) === 1;
  }

  async acknowledged(stream: RetainedStream): Promise<Position | null> {
    const link = this.#linkOf(stream);
    const args = [epochForLook(link), metaTtlMs(stream.retention), stream.stream];
    const call = { keys: [this.#baseOf(stream)], args };
    const [epoch, offset] = await link.run<[string, number]>('acknowledged', call);
    return offset === 0 ? null : { epoch, offset };
  }

  #linkOf(stream: RetainedStream): ScriptLink {
    return this.#calls.of(partitionOfStream(this.#keys, stream));
  }

  #baseOf(stream: RetainedStream): string {
    return this.#keys.base(partitionOfStream(this.#keys, stream));
  }
}

/** Epoch and offset in turn. */
export function toPositions(reply: readonly string[]): Position[] {
  const positions: Position[] = [];
  for (let at = 0; at < reply.length; at += 2) positions.push({ epoch: reply[at]!, offset: Number(reply[at + 1]) });
  return positions;
}

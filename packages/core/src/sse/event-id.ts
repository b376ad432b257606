import { crc32 } from 'node:zlib';
import type { Position, StreamName, StreamPosition } from '../streams.js';

/** Length of an id in bytes; all of its characters are ASCII and need no escape in a URL. */
export const EVENT_ID_BYTES_MAX = 2048;

/** Flags of the first character. */
const INCOMPLETE = 1;
const REPLACED = 2;

/** Epoch of a position that no history can prove: what is there is sent, as `recovered: false`. */
const UNPROVABLE: Position = { epoch: '0', offset: 0 };

/**
 * The id of an event: where the client is in all streams of its connection, so that it may go on on any node with nothing
 * but the id of the last event that it has.
 *
 * A digit of flags, then the epochs in alphabetical order, each as `.`, the number of characters that it has in common
 * with the one before (base 36) and the other ones; behind it its streams, each as `~`, five characters of the hash of
 * its name and its offset (base 36). Two streams of one hash, and what does not fit into 2 kB, are left out, and the
 * first digit says so: whoever resumes by such an id is told `recovered: false` for the streams that are not in it.
 */
export class EventPositions {
  readonly #streams: readonly TrackedStream[];
  readonly #byName: ReadonlyMap<StreamName, TrackedStream>;
  /** Number of streams, the first ones, that the id holds. */
  #kept: number;
  #isIncomplete: boolean;
  /** Streams of the id in its order; null: to be put in order again. */
  #parts: TrackedStream[] | null = null;
  /** Current id; null: to be made. */
  #text: string | null = null;

  /** The first ones are kept longest. */
  constructor(positions: readonly StreamPosition[]) {
    const hashes = new Set<string>();
    this.#streams = positions.flatMap(({ stream, epoch, offset }) => {
      const hash = hashOf(stream);
      if (hashes.has(hash)) return [];
      hashes.add(hash);
      return [{ stream, hash, epoch, offset, head: '' }];
    });
    this.#byName = new Map(this.#streams.map((tracked) => [tracked.stream, tracked]));
    this.#kept = this.#streams.length;
    this.#isIncomplete = this.#kept < positions.length;
  }

  /** Moves a stream to where a frame is that the client gets next. */
  advance({ stream, epoch, offset }: StreamPosition): void {
    const tracked = this.#byName.get(stream);
    if (tracked === undefined) return;
    this.#text = null;
    tracked.offset = offset;
    if (tracked.epoch === epoch) return;
    tracked.epoch = epoch;
    this.#parts = null;
  }

  /** The id. `replaced`: of a connection whose place another one took (see EventId.wasReplaced). */
  text(replaced = false): string {
    this.#text ??= this.#join();
    return replaced ? String(Number(this.#text[0]) + REPLACED) + this.#text.slice(1) : this.#text;
  }

  #join(): string {
    for (;;) {
      const parts = (this.#parts ??= this.#ordered());
      let text = this.#isIncomplete ? String(INCOMPLETE) : '0';
      for (const { head, offset } of parts) text += head + offset.toString(36);
      if (text.length <= EVENT_ID_BYTES_MAX) return text;
      this.#kept--;
      this.#isIncomplete = true;
      this.#parts = null;
    }
  }

  #ordered(): TrackedStream[] {
    const ordered = this.#streams.slice(0, this.#kept);
    ordered.sort((one, other) => (one.epoch < other.epoch ? -1 : one.epoch > other.epoch ? 1 : 0));
    let before = '';
    for (const tracked of ordered) {
      const { epoch, hash } = tracked;
      tracked.head = `${epoch === before ? '' : epochText(epoch, before)}~${hash}`;
      before = epoch;
    }
    return ordered;
  }
}

interface TrackedStream {
  readonly stream: StreamName;
  readonly hash: string;
  epoch: string;
  offset: number;
  /** Its part of the id, but for the offset. */
  head: string;
}

/** What the id of the last event says to somebody who comes back. */
export interface EventId {
  /** Another connection took the place of the one that the id is of: the client may come back, but not take it again. */
  readonly wasReplaced: boolean;
  /** Position to go on from; null: the client was not in this stream. */
  after(stream: StreamName): Position | null;
}

const FORM = /^[0-3](?:\.[0-9a-w][A-Za-z0-9]{0,32}(?:~[A-Za-z0-9_-]{5}[0-9a-z]{1,11})+)*$/;
const EPOCHS = /\.(\w)(\w*)([^.]*)/g;
const STREAMS = /~(.{5})(\w+)/g;
const EPOCH_LENGTH_MAX = 32;

/** Reads an id. null: it is none of ours. */
export function readEventId(text: string): EventId | null {
  if (text.length > EVENT_ID_BYTES_MAX || !FORM.test(text)) return null;
  const flags = Number(text[0]);
  const positions = new Map<string, Position>();
  let before = '';
  for (const [, shared, rest, streams] of text.matchAll(EPOCHS)) {
    const length = parseInt(shared!, 36);
    const epoch = before.slice(0, length) + rest!;
    if (length > before.length || epoch === '' || epoch.length > EPOCH_LENGTH_MAX) return null;
    for (const [, hash, digits] of streams!.matchAll(STREAMS)) {
      const offset = parseInt(digits!, 36);
      if (!Number.isSafeInteger(offset) || positions.has(hash!)) return null;
      positions.set(hash!, { epoch, offset });
    }
    before = epoch;
  }
  const missing = (flags & INCOMPLETE) === 0 ? null : UNPROVABLE;
  return {
    wasReplaced: (flags & REPLACED) !== 0,
    after: (stream) => positions.get(hashOf(stream)) ?? missing,
  };
}

function epochText(epoch: string, before: string): string {
  let shared = 0;
  while (shared < before.length && epoch[shared] === before[shared]) shared++;
  return `.${shared.toString(36)}${epoch.slice(shared)}`;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** 30 bits. */
function hashOf(stream: StreamName): string {
  const bits = crc32(stream) >>> 2;
  let hash = '';
  for (let shift = 0; shift < 30; shift += 6) hash += DIGITS[(bits >>> shift) & 63];
  return hash;
}

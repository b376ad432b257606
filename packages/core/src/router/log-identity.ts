import { crc32 } from 'node:zlib';
import type { SourceRecord } from '../record-source.js';
import type { SourceMark, SourcePosition } from '../source-position.js';

/** A partition as it is now. */
export interface PresentLog {
  /** See AssignedPartition. */
  readonly log: string;
  readonly beginOffset: number;
  readonly endOffset: number;
  /** See RecordSource.recordFrom. */
  readonly recordFrom: (offset: number) => Promise<SourceRecord | null>;
}

/**
 * `same`: the remembered position is one in this log. `cut`: it is this log, but what was applied last is no longer in it
 * (an unclean election, a broker restored from a copy). `other`: the name is all that the two have in common.
 */
export type Comparison = 'same' | 'cut' | 'other';

/** What a record of another log at the same offset has not: the time and the content of this one. */
export function markOf(record: SourceRecord, { log, cluster }: Pick<SourceMark, 'log' | 'cluster'>): SourceMark {
  return { offset: record.offset, proof: proofOf(record), log, cluster };
}

/** The time and the content of a record. */
export function proofOf(record: SourceRecord): string {
  const content = crc32(record.value ?? '', crc32(record.key ?? ''));
  return `${record.timestamp}-${content.toString(36)}`;
}

/**
 * The name under which the store counts a topic of another cluster than the one it counts under the topic's own: two may
 * stand beside one store, both at work. No topic's name has this sign.
 */
export function nameInCluster(topic: string, cluster: string): string {
  return `${topic}@${cluster}`;
}

/** Whether the position belongs to the log, told by the broker's own identity and by the record that stood there. */
export async function compareLog(position: SourcePosition, present: PresentLog): Promise<Comparison> {
  const { mark } = position;
  // Of a release that left no marks: the end is all there is to compare with.
  if (mark === null) return position.offset < present.endOffset ? 'same' : 'other';
  const isSameId = mark.log === '' || present.log === '' ? null : mark.log === present.log;
  if (isSameId === false) return 'other';
  // Its retention has passed the record.
  if (mark.offset < present.beginOffset) return 'same';
  const found = await recordAt(mark.offset, present);
  if (found?.offset === mark.offset && proofOf(found) === mark.proof) return 'same';
  // Compaction took the record away, in the middle of the log.
  if (found !== null && found.offset > mark.offset) return 'same';
  return isSameId === true ? 'cut' : 'other';
}

/** null: the log ends before. */
async function recordAt(offset: number, { endOffset, recordFrom }: PresentLog): Promise<SourceRecord | null> {
  if (offset < endOffset) return recordFrom(offset);
  // A router that was given up too early may have applied what was written since the end was asked for.
  const hasGrown = (await recordFrom(endOffset)) !== null;
  return hasGrown ? recordFrom(offset).catch(() => null) : null;
}

/**
 * Where a log that was cut goes on with records that nobody was given: at its first record that is newer than the one that
 * was applied last, whether it has grown past the old end since or not; behind its end when there is none.
 */
export async function firstBehindCut(mark: SourceMark, present: PresentLog): Promise<number> {
  const appliedMs = Number.parseInt(mark.proof, 10);
  let [from, to] = [present.beginOffset, Math.min(mark.offset, present.endOffset)];
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    const record = await present.recordFrom(middle);
    if (record === null || record.timestamp > appliedMs) to = middle;
    else from = record.offset + 1;
  }
  return from;
}

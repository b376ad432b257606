import type { Engine } from '../engine.js';
import type { SourcePosition } from '../source-position.js';
import type { Logger } from '../logger.js';
import type { AssignedPartition, RecordSource } from '../record-source.js';
import { Backoff } from '../backoff.js';
import type { TopicPolicy } from '../topics.js';
import { parseCommitNote, type CommitNote } from './commit-note.js';
import { compareLog, firstBehindCut, nameInCluster, type PresentLog } from './log-identity.js';

export interface PartitionOpenerDeps {
  readonly source: RecordSource;
  readonly engine: Engine;
  readonly logger: Logger;
}

/** What records of a partition have in common. */
export interface PartitionOrigin {
  readonly policy: TopicPolicy;
  readonly partition: number;
  /** Name of the topic under which the store counts it. */
  readonly source: string;
  /** See AssignedPartition. */
  readonly log: string;
  readonly cluster: string;
}

/** Where a partition begins that was assigned. */
export interface PartitionStart {
  /** See PartitionOrigin. */
  readonly source: string;
  readonly offset: number;
  /** Records before it may have been applied, and forgotten by the store. */
  readonly repeatedBefore: number;
  /** See AppliedPast.minuteAgo. */
  readonly minuteBefore: number;
  /** Engine.store when this was decided. */
  readonly store: string;
}

/** Where to read, and what to do with the rows of before. */
interface Decision {
  readonly offset: number;
  readonly forget: boolean;
  /** The store is not the one that the commit was made for. */
  readonly storeChanged: boolean;
  /** What a person should hear. */
  readonly finding: string | null;
}

/**
 * The one place that decides where a partition is read: by what Kafka has committed, by what the store remembers to have
 * applied, and by whether the two speak of the log that is there now. A log is more than its name: a topic can be deleted
 * and made again, Kafka can be wiped, another cluster can stand beside the same store.
 */
export class PartitionOpener {
  readonly #deps: PartitionOpenerDeps;

  constructor(deps: PartitionOpenerDeps) {
    this.#deps = deps;
  }

  /** Asks until engine and Kafka answer; null when the signal aborts before. */
  async open(assigned: AssignedPartition, signal: AbortSignal): Promise<PartitionStart | null> {
    const { logger } = this.#deps;
    const { topic, partition } = assigned;
    const backoff = new Backoff();
    while (!signal.aborted) {
      try {
        const start = await this.#openOnce(assigned);
        if (start !== null) return start;
      } catch (error) {
        const level = backoff.isFresh ? 'warn' : 'debug';
        logger[level]('partition cannot be opened yet', { topic, partition, error: String(error) });
        await backoff.wait(signal);
      }
    }
    return null;
  }

  /** null when another router went on applying meanwhile: what was read is outdated. */
  async #openOnce(assigned: AssignedPartition): Promise<PartitionStart | null> {
    const { engine, source, logger } = this.#deps;
    const { topic, partition, beginOffset, endOffset, log, committed } = assigned;
    const { store } = engine;
    const { name, seen, isOther } = await this.#placeInStore(assigned);
    const note = parseCommitNote(committed);
    const recordFrom = (offset: number) => source.recordFrom(topic, partition, offset);
    const present: PresentLog = { log, beginOffset, endOffset, recordFrom };
    const decision = await decide({ assigned, note, seen, present, store });
    const { offset, forget, storeChanged } = decision;
    const finding = decision.finding ?? (isOther ? OTHER_CLUSTER : null);
    if (!(await engine.claimSource(name, partition, { seen, forget }))) return null;
    if (finding !== null) {
      const applied = seen.map((row) => row.offset);
      const fields = {
        topic,
        partition,
        applied,
        committed: committed?.offset ?? null,
        beginOffset,
        endOffset,
        offset,
      };
      logger.warn(finding, fields);
    }
    const minuteBefore = forget ? offset : Math.min(offset, note.minuteBefore ?? offset);
    return { source: name, offset, minuteBefore, store, repeatedBefore: storeChanged ? endOffset : 0 };
  }

  /**
   * Where the store counts the partition. A second cluster beside the same store has a place of its own from its first
   * record on: both may be at work at once.
   */
  async #placeInStore({ topic, partition, cluster }: AssignedPartition): Promise<PlaceInStore> {
    const { engine } = this.#deps;
    const plain = await engine.sourcePositions(topic, partition);
    if (cluster === '') return { name: topic, seen: plain, isOther: false };
    const name = nameInCluster(topic, cluster);
    const own = await engine.sourcePositions(name, partition);
    if (own.some(({ offset }) => offset >= 0)) return { name, seen: own, isOther: false };
    const isOther = plain.some(({ mark }) => mark !== null && mark.cluster !== '' && mark.cluster !== cluster);
    return isOther ? { name, seen: own, isOther } : { name: topic, seen: plain, isOther };
  }
}

interface PlaceInStore {
  readonly name: string;
  readonly seen: readonly SourcePosition[];
  /** The store knows the topic of another cluster, and nothing of it in this one. */
  readonly isOther: boolean;
}

interface Knowledge {
  readonly assigned: AssignedPartition;
  readonly note: CommitNote;
  readonly seen: readonly SourcePosition[];
  readonly present: PresentLog;
  readonly store: string;
}

async function decide(knowledge: Knowledge): Promise<Decision> {
  const { assigned, note, seen, present } = knowledge;
  const { committed, beginOffset, endOffset, log } = assigned;
  const rows = seen.filter(({ offset }) => offset >= 0);
  if (rows.length === 0) return decideByCommit(knowledge);
  const newest = rows.reduce((a, b) => (b.offset > a.offset ? b : a));
  switch (await compareLog(newest, present)) {
    case 'same':
      return decideInSameLog(knowledge, rows);
    case 'cut': {
      const offset = await firstBehindCut(newest.mark!, present);
      const finding = 'the end of a partition was lost, it goes on behind what is left of it';
      return { offset, forget: true, storeChanged: false, finding };
    }
    case 'other': {
      // What the group has committed in the new log is good; what it had in the old one is not.
      const isOfThisLog = note.begins !== null || (note.log !== '' && note.log === log);
      const offset = isOfThisLog && committed !== null ? clamp(committed.offset, beginOffset, endOffset) : beginOffset;
      return {
        offset,
        forget: true,
        storeChanged: false,
        finding: OTHER_LOG,
      };
    }
  }
}

/** Nothing was applied of it that the store would know of. */
function decideByCommit({ assigned, note, store }: Knowledge): Decision {
  const { committed, beginOffset, endOffset, offset, log } = assigned;
  // Whoever opened the new log first has deleted the rows of the old one, and committed nothing yet.
  if (note.log !== '' && log !== '' && note.log !== log) {
    return { offset: beginOffset, forget: false, storeChanged: false, finding: OTHER_LOG };
  }
  if (committed !== null && committed.offset > endOffset) {
    const isSame = log !== '' && note.log === log;
    const finding = isSame
      ? 'the end of a partition was lost, it goes on behind what is left of it'
      : 'the committed offset is not in the log, starting at its first record';
    return { offset: isSame ? endOffset : beginOffset, forget: false, storeChanged: false, finding };
  }
  const storeChanged = isAnotherStore(note, store);
  const before = storeChanged ? Math.min(offset, note.minuteBefore ?? offset) : offset;
  const start = clamp(before, beginOffset, endOffset);
  return { offset: start, forget: false, storeChanged, finding: start < offset ? STORE_LOST : null };
}

function decideInSameLog({ assigned, note, seen, store }: Knowledge, rows: readonly SourcePosition[]): Decision {
  const { committed, beginOffset, endOffset } = assigned;
  const behindRows = Math.min(...rows.map(({ offset }) => offset)) + 1;
  const isUsable = committed !== null && note.begins !== 'again' && committed.offset <= endOffset;
  const offset = isUsable ? committed.offset : behindRows;
  const storeChanged = isAnotherStore(note, store);
  const lostFrom = storeChanged ? firstLost({ rows, isWhole: rows.length === seen.length, note, offset }) : offset;
  const start = clamp(Math.min(offset, lostFrom), beginOffset, endOffset);
  const byRows = isUsable ? null : 'the committed offset is gone, going on where the store says';
  const finding = start > offset ? PASSED : start < offset ? STORE_LOST : byRows;
  return { offset: start, forget: false, storeChanged, finding };
}

interface Rows {
  readonly rows: readonly SourcePosition[];
  /** No part of the store is without a row. */
  readonly isWhole: boolean;
  readonly note: CommitNote;
  /** Where the group would go on. */
  readonly offset: number;
}

/**
 * Where the store's loss may begin. The row of a part that gets few records is old, and says nothing of a loss: as long as
 * any row is of the last minute, no more than that minute is missing.
 */
function firstLost({ rows, isWhole, note, offset }: Rows): number {
  const offsets = rows.map((row) => row.offset);
  const behindRows = Math.min(...offsets) + 1;
  const { minuteBefore } = note;
  if (minuteBefore === null) return isWhole ? behindRows : offset;
  if (Math.max(...offsets) < minuteBefore - 1) return behindRows;
  return isWhole ? Math.max(behindRows, minuteBefore) : minuteBefore;
}

const OTHER_LOG = 'the topic is another one than before, its partition starts over';
const OTHER_CLUSTER = 'the topic is of another Kafka cluster than the one known, it is counted beside that';
const PASSED = 'records were deleted before they were read, it goes on at the first that is left';
const STORE_LOST = 'the store may have lost what was applied last, reading it again';

function isAnotherStore(note: CommitNote, store: string): boolean {
  return note.store !== '' && store !== '' && note.store !== store;
}

function clamp(offset: number, begin: number, end: number): number {
  return Math.max(begin, Math.min(end, offset));
}

import type { Engine, PublishItem, PublishResult } from '../engine.js';
import { EngineError } from '../errors.js';
import type { Logger } from '../logger.js';
import { reject } from '../records/decoded.js';
import type { PartitionOrigin } from './partition-opener.js';
import { Backoff } from '../backoff.js';
import type { Chunk } from './chunk.js';
import type { DeadLetter } from './dead-letter-writer.js';

/** Number of publish calls that an engine accepted, over all lanes. */
export interface EngineProgress {
  accepted: number;
}

export interface IsolationDeps {
  readonly engine: Engine;
  readonly logger: Logger;
  readonly progress: EngineProgress;
}

export interface IsolationWork {
  /** Chunks that were refused and those taken after them, in order. */
  readonly chunks: readonly Chunk[];
  /** Takes the next chunk of the lane; null when there is none (yet). */
  readonly more: () => Chunk | null;
  /** Called once for each chunk, in order, when the engine has all of it but what became dead letters. */
  readonly done: (chunk: Chunk, refused: readonly DeadLetter[]) => void;
  readonly applied: (result: PublishResult) => void;
}

/** Tells whether the engine has lost what it had: more calls would not help. */
export function isGap(error: unknown): error is EngineError {
  return error instanceof EngineError && error.code === 'source_gap';
}

/** Tells whether the engine was reached and did not take the batch: then its records may be at fault. */
export function isRefusal(error: unknown): boolean {
  // All other codes (no connection, a gap, a stopped engine, a lost lease) are about the engine only.
  return !(error instanceof EngineError) || error.code === 'internal';
}

/**
 * Refusals in a row after which the engine, not the records, is taken to be at fault: the lane waits before it tries
 * more.
 */
const SUSPECTS_MAX = 16;

/** Number of refusals, while other lanes got something through, that count as proof against a record. */
const CONTRADICTIONS_MIN = 3;

/**
 * Finds the records of a refused batch that the engine will not take, by publishing record by record.
 *
 * A record is given up as a dead letter only when the engine has proved to work: it took a later record of this lane,
 * or it took something from other lanes and still refused this one. Without proof the lane waits, as it does for an
 * engine that cannot be reached: a broken engine must not turn a whole topic into dead letters. So a refused record at
 * the very end of a partition waits for the next one, and holds up nobody.
 */
export class Isolation {
  readonly #deps: IsolationDeps;
  readonly #origin: PartitionOrigin;

  constructor(deps: IsolationDeps, origin: PartitionOrigin) {
    this.#deps = deps;
    this.#origin = origin;
  }

  /** Resolves to null when all is decided, or the signal aborts; to the gap that keeps it from going on. */
  async run(work: IsolationWork, signal: AbortSignal): Promise<EngineError | null> {
    let records = work.chunks.flatMap(recordsOf);
    const backoff = new Backoff();
    for (;;) {
      const gap = await this.#pass(records, work, signal);
      if (signal.aborted) return null;
      records = finishChunks(records, work);
      if (gap !== null || records.length === 0) return gap;
      await backoff.wait(signal);
    }
  }

  /** Tries the records in order until it knows no better than to wait. Adds to `records` when more are needed. */
  async #pass(records: IsolatedRecord[], work: IsolationWork, signal: AbortSignal): Promise<EngineError | null> {
    const suspects: IsolatedRecord[] = [];
    for (let i = 0; !signal.aborted && suspects.length < SUSPECTS_MAX; i++) {
      if (i === records.length && (suspects.length === 0 || !appendNext(records, work))) return null;
      const record = records[i]!;
      if (record.verdict !== 'open') continue;
      const [first] = suspects;
      // The first suspect is tried once more, right before the record behind it: an engine that was mended in the
      // middle of the pass takes it now, and the pass is made again, in order.
      const again = first === undefined ? 'refused' : await this.#try(first, work);
      if (again !== 'refused') return gapIn(again);
      const outcome = await this.#try(record, work);
      if (outcome === 'unreachable' || outcome instanceof EngineError) return gapIn(outcome);
      if (outcome === 'refused') suspects.push(record);
      if (outcome === 'accepted') for (const suspect of suspects.splice(0)) await this.#tryOutOfOrder(suspect, work);
    }
    return null;
  }

  async #try(record: IsolatedRecord, work: IsolationWork): Promise<Outcome> {
    const { engine, progress } = this.#deps;
    const { source: topic, partition } = this.#origin;
    const source = {
      topic,
      partition,
      previousOffset: -1,
      lastOffset: record.offset,
      repeated: true,
    };
    // The count is taken before the call: what others achieve during it may be the first thing that a mended engine
    // did.
    const progressBefore = progress.accepted;
    try {
      work.applied(await engine.publish({ source, items: record.items }));
      record.verdict = 'accepted';
      return 'accepted';
    } catch (error) {
      if (!isRefusal(error)) return isGap(error) ? error : 'unreachable';
      record.error = error;
      if (record.progressSeen !== null && progressBefore > record.progressSeen) record.contradictions++;
      record.progressSeen = progressBefore;
      if (record.contradictions < CONTRADICTIONS_MIN) return 'refused';
      this.#giveUp(record);
      return 'given_up';
    }
  }

  /**
   * Tries a suspect for the last time, now that the engine took the record behind it. The source position has moved
   * past it, so it goes without one. It is accepted only if the engine was mended between two calls: it is late then,
   * but not lost.
   */
  async #tryOutOfOrder(record: IsolatedRecord, work: IsolationWork): Promise<void> {
    // The head is named because that of a record for many is no member that a copy would have.
    const items = record.items.map((item) => ({ ...item, head: item.head, sourceOffset: -1 }));
    try {
      work.applied(await this.#deps.engine.publish({ source: null, items }));
      record.verdict = 'accepted';
    } catch (error) {
      record.error = error;
      this.#giveUp(record);
    }
  }

  #giveUp(record: IsolatedRecord): void {
    record.verdict = 'refused';
    const { policy, partition } = this.#origin;
    const { offset, error } = record;
    const fields = { topic: policy.kafkaTopic, partition, offset, error: String(error) };
    this.#deps.logger.error('engine refuses a record, written to the dead letters', fields);
  }
}

/** An error is a gap. */
type Outcome = 'accepted' | 'refused' | 'given_up' | 'unreachable' | EngineError;

function gapIn(outcome: Outcome): EngineError | null {
  return outcome instanceof EngineError ? outcome : null;
}

/** The messages of one record. They stay together: the engine knows a record by its source offset. */
interface IsolatedRecord {
  readonly chunk: Chunk;
  readonly offset: number;
  readonly items: PublishItem[];
  verdict: 'open' | 'accepted' | 'refused';
  /** Number of calls that the engine had accepted before the last refusal; null: never refused. */
  progressSeen: number | null;
  contradictions: number;
  error: unknown;
}

function recordsOf(chunk: Chunk): IsolatedRecord[] {
  const records: IsolatedRecord[] = [];
  for (const item of chunk.items) {
    const newest = records.at(-1);
    if (newest?.offset === item.sourceOffset) newest.items.push(item);
    else {
      const { sourceOffset: offset } = item;
      records.push({
        chunk,
        offset,
        items: [item],
        verdict: 'open',
        progressSeen: null,
        contradictions: 0,
        error: null,
      });
    }
  }
  return records;
}

/** Adds the records of the next chunk; false when the lane has nothing more. */
function appendNext(records: IsolatedRecord[], work: IsolationWork): boolean {
  const chunk = work.more();
  if (chunk === null || chunk.items.length === 0) return false;
  records.push(...recordsOf(chunk));
  return true;
}

/** Hands back the chunks that are decided; returns the records of the others. */
function finishChunks(records: readonly IsolatedRecord[], work: IsolationWork): IsolatedRecord[] {
  const undecided = new Set(records.filter(({ verdict }) => verdict === 'open').map(({ chunk }) => chunk));
  for (const chunk of new Set(records.map((record) => record.chunk))) {
    if (undecided.has(chunk)) continue;
    const refused = records.filter((record) => record.chunk === chunk && record.verdict === 'refused');
    work.done(chunk, refused.map(toLetter));
  }
  return records.filter(({ chunk }) => undecided.has(chunk));
}

function toLetter({ chunk, offset, error }: IsolatedRecord): DeadLetter {
  const record = chunk.records.find((candidate) => candidate.offset === offset)!;
  const why = error instanceof Error ? error.message : String(error);
  // The list of reasons is closed, because others read it; this is the one that speaks of the record's content.
  return { record, reason: reject('bad_member', `the engine refused the record: ${why}`) };
}

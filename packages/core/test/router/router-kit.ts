import {
  EngineError,
  RouterStats,
  Router,
  type AssignedPartition,
  type CommittedOffset,
  type Engine,
  type Logger,
  type OutgoingRecord,
  type PartitionOffset,
  type PublishBatch,
  type PublishItem,
  type PublishResult,
  type RecordSink,
  type RecordSource,
  type RecordWriter,
  type RouterOptions,
  type ShownBeat,
  type SourceClaim,
  type SourceMark,
  type SourcePosition,
  type SourceRecord,
  type TopicSight,
} from '../../src/index.js';
import { topicPolicy } from '../policies.js';

/** Looks at every turn of the event loop until it holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

class TestSource implements RecordSource {
  readonly status = { started: true, healthy: true, troubles: [] };
  readonly paused = new Set<string>();
  /** Newest committed offset of each partition, with its note, and how many commits there were. */
  readonly committed = new Map<string, number>();
  readonly notes = new Map<string, string>();
  /** Where each partition was told to go on, in order. */
  readonly seeks: { topic: string; partition: number; offset: number }[] = [];
  /** What partition 0 holds: what `recordFrom` finds. */
  log: readonly SourceRecord[] = [];
  commits = 0;
  commitFailures = 0;
  sink: RecordSink | null = null;
  stopped = false;

  async start(sink: RecordSink): Promise<void> {
    this.sink = sink;
  }

  pause(topic: string, partition: number): void {
    this.paused.add(`${topic}/${partition}`);
  }

  resume(topic: string, partition: number): void {
    this.paused.delete(`${topic}/${partition}`);
  }

  seek(topic: string, partition: number, offset: number): void {
    this.seeks.push({ topic, partition, offset });
  }

  async recordFrom(_topic: string, _partition: number, offset: number): Promise<SourceRecord | null> {
    return this.log.find((record) => record.offset >= offset) ?? null;
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    this.commits++;
    if (this.commitFailures > 0) {
      this.commitFailures--;
      throw new Error('rebalancing');
    }
    for (const { topic, partition, offset, note } of offsets) {
      this.committed.set(`${topic}/${partition}`, offset);
      this.notes.set(`${topic}/${partition}`, note);
    }
  }

  async readAgain(): Promise<PartitionOffset[]> {
    return [];
  }

  readonly member = 'this';
  /** Members that were taken out of the group. */
  readonly evicted: string[] = [];

  async evict(member: string): Promise<void> {
    this.evicted.push(member);
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

function rowOf(offset: number, mark: SourceMark | null): SourcePosition {
  return { offset, mark: offset < 0 ? null : mark, confirmed: -1, row: String(offset) };
}

/** The publishing half of an engine as engine.ts describes it, with ways to make it fail. */
class TestEngine {
  /** Applied items in order. */
  readonly items: PublishItem[] = [];
  readonly batches: PublishBatch[] = [];
  readonly applied = new Map<string, number>();
  readonly marks = new Map<string, SourceMark | null>();
  /** What this engine confirmed: what it lost is behind it in `applied`. */
  readonly confirmed = new Map<string, number>();
  healthy = true;
  store = 'first';
  inFlight = 0;
  inFlightMax = 0;
  /** Asked before a batch is applied; what it returns is thrown. */
  refuse: (batch: PublishBatch) => Error | null = () => null;
  /** Asked after a batch was applied: the answer was lost on its way. */
  loseAnswer: (batch: PublishBatch) => boolean = () => false;
  /** Calls wait for it. */
  gate: Promise<void> = Promise.resolve();
  claimFailures = 0;
  /** Offsets that other parts of the store have applied last; -1: they have no row. */
  otherRows: readonly number[] = [];

  async publish(batch: PublishBatch): Promise<PublishResult> {
    this.batches.push(batch);
    this.inFlightMax = Math.max(this.inFlightMax, ++this.inFlight);
    try {
      // An engine's answer takes a while: time enough for the second call.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      await this.gate;
      return this.#apply(batch);
    } finally {
      this.inFlight--;
    }
  }

  async sourcePositions(topic: string, partition: number): Promise<SourcePosition[]> {
    if (this.claimFailures > 0) {
      this.claimFailures--;
      throw new EngineError('unavailable', 'not yet');
    }
    const key = `${topic}/${partition}`;
    const offset = this.applied.get(key) ?? -1;
    const [mark, confirmed] = [this.marks.get(key) ?? null, this.confirmed.get(key) ?? -1];
    return [{ offset, mark, confirmed, row: String(offset) }, ...this.otherRows.map((row) => rowOf(row, mark))];
  }

  async claimSource(topic: string, partition: number, { seen, forget }: SourceClaim): Promise<boolean> {
    const key = `${topic}/${partition}`;
    this.onClaim();
    const { offset } = seen[0]!;
    if (forget && offset !== (this.applied.get(key) ?? -1)) return false;
    if (forget) this.applied.delete(key);
    this.confirmed.set(key, forget ? -1 : offset);
    return true;
  }

  async blocksKnown(): Promise<boolean> {
    return true;
  }

  async noteTopics(_group: string, sights: readonly TopicSight[]): Promise<TopicSight[]> {
    return [...sights];
  }

  async beat(): Promise<ShownBeat[]> {
    return [];
  }

  /** Called before a claim is looked at. */
  onClaim: () => void = () => undefined;

  /** Goes back to what it was when it had applied up to this offset, as another process. */
  lose(key: string, applied: number): void {
    if (applied < 0) this.applied.delete(key);
    else this.applied.set(key, applied);
    this.store = `behind ${this.store}`;
  }

  #apply(batch: PublishBatch): PublishResult {
    const error = this.refuse(batch);
    if (error !== null) throw error;
    if (batch.source === null) {
      this.items.push(...batch.items);
      return { routed: batch.items.length, offline: 0, duplicates: 0 };
    }
    const { topic, partition, previousOffset, lastOffset } = batch.source;
    const key = `${topic}/${partition}`;
    const applied = this.applied.get(key) ?? -1;
    const expected = previousOffset < 0 ? (this.confirmed.get(key) ?? -1) : previousOffset;
    if (applied < expected) throw new EngineError('source_gap', `${applied} < ${expected}`);
    const fresh = batch.items.filter(({ sourceOffset }) => sourceOffset > applied);
    this.items.push(...fresh);
    if (lastOffset > applied) this.marks.set(key, batch.source.mark ?? null);
    this.applied.set(key, Math.max(applied, lastOffset));
    if (this.loseAnswer(batch)) throw new EngineError('unavailable', 'no answer');
    this.confirmed.set(key, lastOffset);
    return { routed: fresh.length, offline: 0, duplicates: batch.items.length - fresh.length };
  }

  get offsets(): number[] {
    return this.items.map(({ sourceOffset }) => sourceOffset);
  }
}

class TestWriter implements RecordWriter {
  readonly written: { topic: string; record: OutgoingRecord }[] = [];
  refuse: (records: readonly OutgoingRecord[]) => Error | null = () => null;
  calls = 0;

  async write(topic: string, records: readonly OutgoingRecord[]): Promise<void> {
    this.calls++;
    const error = this.refuse(records);
    if (error !== null) throw error;
    this.written.push(...records.map((record) => ({ topic, record })));
  }

  async stop(): Promise<void> {}

  header(name: string): unknown[] {
    return this.written.map(({ record }) => record.headers?.[name]);
  }
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export function recordingLogger(lines: LogLine[]): Logger {
  const log =
    (level: string) =>
    (message: string, fields = {}) =>
      void lines.push({ level, message, fields });
  const logger: Logger = {
    error: log('error'),
    warn: log('warn'),
    info: log('info'),
    debug: log('debug'),
    child: () => logger,
  };
  return logger;
}

/** A router between a source, an engine and a writer of the test. */
export class RouterHarness {
  readonly source = new TestSource();
  readonly engine = new TestEngine();
  readonly writer = new TestWriter();
  readonly stats = new RouterStats();
  readonly lines: LogLine[] = [];
  readonly router: Router;

  constructor(options: Partial<RouterOptions> = {}, engine?: Engine, monotonicMs = () => performance.now()) {
    const { source, writer, stats } = this;
    const deps = { source, writer, stats, monotonicMs, logger: recordingLogger(this.lines) };
    this.router = new Router(
      { ...deps, engine: engine ?? (this.engine as unknown as Engine) },
      {
        topics: [topicPolicy('notifications'), topicPolicy('user-blocks', { blocks: true, retention: null })],
        groupId: 'gw',
        deadLetterTopic: '',
        maxRecordBytes: 100_000,
        roomRetention: null,
        perUserStats: false,
        commitIntervalMs: 5,
        ...options,
      },
    );
  }

  /** Starts with partition 0 of notifications. */
  async start(endOffset = 0): Promise<void> {
    await this.router.start();
    await this.assign({ endOffset });
  }

  /** Partition 0 of notifications, unless it is said otherwise; by a group that has committed nothing. */
  async assign(own: Partial<AssignedPartition> = {}): Promise<void> {
    const committed = own.committed ?? null;
    const offset = own.offset ?? committed?.offset ?? 0;
    const defaults = { topic: 'notifications', partition: 0, beginOffset: 0, endOffset: offset, log: '', cluster: '' };
    await this.router.assigned([{ ...defaults, ...own, committed, offset }]);
  }

  /** What the router commits, as it comes back with the partition. */
  get commit(): CommittedOffset {
    const key = 'notifications/0';
    const { committed, notes } = this.source;
    return { topic: 'notifications', partition: 0, offset: committed.get(key)!, note: notes.get(key)! };
  }

  push(records: readonly SourceRecord[], partition = 0): void {
    const nextOffset = records.at(-1)!.offset + 1;
    this.router.records('notifications', partition, records, { nextOffset, endOffset: nextOffset });
  }

  async committed(offset: number, partition = 0): Promise<void> {
    const key = `notifications/${partition}`;
    await until(() => this.source.committed.get(key) === offset, `${key} is committed up to ${offset}`);
  }

  /** 0 also where nothing is committed yet. */
  get committedNow(): number {
    return this.source.committed.get('notifications/0') ?? 0;
  }

  async stop(timeoutMs = 2000): Promise<void> {
    await this.router.stop(AbortSignal.timeout(timeoutMs));
  }
}

/** Records to user `u<offset>`, from one offset up to before another. */
export function recordsOf(from: number, to: number, make: (offset: number) => unknown = userRecord): SourceRecord[] {
  return Array.from({ length: to - from }, (_, i) => sourceRecord(from + i, make(from + i)));
}

export function sourceRecord(offset: number, value: unknown): SourceRecord {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    offset,
    timestamp: Date.now(),
    key: Buffer.from('k'),
    headers: {},
    value: value === null ? null : Buffer.from(text),
  };
}

function userRecord(offset: number): unknown {
  return { user_id: `u${offset}`, payload: offset };
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

import {
  EngineError,
  RouterStats,
  Router,
  type AssignedPartition,
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
  type SourceRecord,
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
  readonly status = { started: true, healthy: true, missingTopics: [] };
  readonly paused = new Set<string>();
  /** Newest committed offset of each partition, and how many commits there were. */
  readonly committed = new Map<string, number>();
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

  async commit(offsets: readonly PartitionOffset[]): Promise<void> {
    this.commits++;
    if (this.commitFailures > 0) {
      this.commitFailures--;
      throw new Error('rebalancing');
    }
    for (const { topic, partition, offset } of offsets) this.committed.set(`${topic}/${partition}`, offset);
  }

  async readAgain(): Promise<PartitionOffset[]> {
    return [];
  }

  async stop(): Promise<void> {
    this.stopped = true;
  }
}

/** The publishing half of an engine as engine.ts describes it, with ways to make it fail. */
class TestEngine {
  /** Applied items in order. */
  readonly items: PublishItem[] = [];
  readonly batches: PublishBatch[] = [];
  readonly claims: Omit<AssignedPartition, 'offset'>[] = [];
  readonly applied = new Map<string, number>();
  inFlight = 0;
  inFlightMax = 0;
  /** Asked before a batch is applied; what it returns is thrown. */
  refuse: (batch: PublishBatch) => Error | null = () => null;
  /** Asked after a batch was applied: the answer was lost on its way. */
  loseAnswer: (batch: PublishBatch) => boolean = () => false;
  /** Calls wait for it. */
  gate: Promise<void> = Promise.resolve();
  claimFailures = 0;

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

  async claimSource(topic: string, partition: number, endOffset: number): Promise<{ reset: boolean }> {
    if (this.claimFailures > 0) {
      this.claimFailures--;
      throw new EngineError('unavailable', 'not yet');
    }
    this.claims.push({ topic, partition, endOffset });
    const key = `${topic}/${partition}`;
    const reset = (this.applied.get(key) ?? -1) >= endOffset;
    if (reset) this.applied.delete(key);
    return { reset };
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
    if (applied < previousOffset) throw new EngineError('source_gap', `${applied} < ${previousOffset}`);
    const fresh = batch.items.filter(({ sourceOffset }) => sourceOffset > applied);
    this.items.push(...fresh);
    this.applied.set(key, Math.max(applied, lastOffset));
    if (this.loseAnswer(batch)) throw new EngineError('unavailable', 'no answer');
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
}

function recordingLogger(lines: LogLine[]): Logger {
  const log = (level: string) => (message: string) => void lines.push({ level, message });
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

  constructor(options: Partial<RouterOptions> = {}, engine?: Engine) {
    const { source, writer, stats } = this;
    const deps = { source, writer, stats, logger: recordingLogger(this.lines) };
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
    await this.router.assigned([{ topic: 'notifications', partition: 0, offset: 0, endOffset }]);
  }

  push(records: readonly SourceRecord[], partition = 0): void {
    this.router.records('notifications', partition, records, records.at(-1)!.offset + 1);
  }

  async committed(offset: number, partition = 0): Promise<void> {
    const key = `notifications/${partition}`;
    await until(() => this.source.committed.get(key) === offset, `${key} is committed up to ${offset}`);
  }

  get committedNow(): number | undefined {
    return this.source.committed.get('notifications/0');
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

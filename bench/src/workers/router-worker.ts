/**
 * Entry point of the process that reads, decodes and encodes records as a gateway's router does, and throws them away.
 */
import { nowMicros, serveParent, type Arrivals } from '@ws-gateway/load-generator';
import {
  EngineStats,
  MemoryEngine,
  Router,
  RouterStats,
  type Inbox,
  type PublishBatch,
  type PublishResult,
  type RecordFormat,
  type RecordWriter,
  type SpanSink,
} from '@ws-gateway/core';
import { KafkajsRecordSource } from '@ws-gateway/kafka-source';
import { RegistrySchemaReader } from '@ws-gateway/schema-registry';
import { defaultPolicy, logger } from '../lib/fixtures.js';

export interface RouterTask {
  readonly brokers: string;
  readonly kafkaTopic: string;
  readonly groupId: string;
  readonly records: number;
  /** Format of the records; the members of an envelope are found by a map. */
  readonly format?: RecordFormat;
  readonly registryUrl?: string;
  /** There is a taker of spans, and no record is chosen for it. */
  readonly spans?: boolean;
}

/**
 * An engine that takes everything and keeps the time of arrival. It knows a record by its offset, because looking into
 * it would cost.
 */
class DiscardEngine extends MemoryEngine {
  readonly #times: Float64Array;
  readonly #newest = new Map<number, number>();
  #received = 0;
  #outOfOrder = 0;

  constructor(records: number) {
    super({ node: 'bench', stats: new EngineStats() });
    this.#times = new Float64Array(records);
  }

  get received(): number {
    return this.#received;
  }

  override async publish({ source, items }: PublishBatch): Promise<PublishResult> {
    const micros = nowMicros();
    const { partition, lastOffset } = source!;
    let newest = this.#newest.get(partition) ?? -1;
    for (const { sourceOffset } of items) {
      if (sourceOffset <= newest) this.#outOfOrder++;
      newest = sourceOffset;
      this.#times[this.#received++] = micros;
    }
    this.#newest.set(partition, lastOffset);
    return { routed: items.length, offline: 0, duplicates: 0 };
  }

  arrivals(): Arrivals {
    const counts = { received: this.#received, duplicates: 0, outOfOrder: this.#outOfOrder, misdelivered: 0 };
    return { times: this.#times, ...counts };
  }
}

/** Where a record of another format has the members of an envelope. */
const MAP = {
  user: ['value:/user_id'],
  id: ['value:/id'],
  type: ['value:/type'],
  timestamp: ['value:/timestamp'],
  payload: ['value:/payload'],
};
const REGISTRY = { username: '', password: '', token: '', timeoutMs: 5000, jsonLengthMax: 4 * 1024 * 1024 };

/** What an engine that throws everything away never calls. */
const nobody: Inbox = {
  deliver: () => undefined,
  broadcast: () => undefined,
  command: () => undefined,
  endBatch: () => undefined,
  rebuild: async () => undefined,
  holds: () => false,
};

/** A writer that is never called: all records of the load can be used. */
const noLetters: RecordWriter = {
  write: () => Promise.reject(new Error('a record of the load became a dead letter')),
  stop: async () => undefined,
};

/** A taker of spans that is never called: no record of the load asks for them. */
const noSpans: SpanSink = {
  ratio: 0,
  inFrames: false,
  add: () => {
    throw new Error('a record of the load was chosen');
  },
};

let engine: DiscardEngine | null = null;

async function start(task: RouterTask): Promise<void> {
  const { brokers, kafkaTopic, groupId, format = 'envelope', registryUrl = '' } = task;
  const spans = task.spans === true ? noSpans : null;
  engine = new DiscardEngine(task.records);
  await engine.start(nobody);
  const stats = new RouterStats();
  const source = new KafkajsRecordSource({
    brokers: [brokers],
    clientId: 'bench',
    logger,
    groupId,
    topics: [kafkaTopic],
    fromBeginning: true,
    createTopics: false,
  });
  const options = {
    topics: [{ ...defaultPolicy('notifications', kafkaTopic), format, map: format === 'envelope' ? {} : MAP }],
    groupId,
    deadLetterTopic: '',
    roomRetention: null,
  };
  const limits = { maxRecordBytes: 1024 * 1024, perUserStats: false };
  const schemas = registryUrl === '' ? null : new RegistrySchemaReader({ ...REGISTRY, url: registryUrl }, logger);
  await new Router(
    { source, engine, writer: noLetters, stats, logger, schemas, spans },
    { ...options, ...limits },
  ).start();
}

serveParent({
  start,
  received: () => engine?.received,
  arrivals: () => engine?.arrivals(),
});

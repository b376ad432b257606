/**
 * Entry point of the process that reads, decodes and encodes records as a gateway's router does, and throws them away.
 */
import { nowMicros, serveParent, type Arrivals } from '@ws-gateway/load-generator';
import {
  EngineStats,
  MemoryEngine,
  Router,
  RouterStats,
  type PublishBatch,
  type PublishResult,
  type RecordWriter,
  type SourcePosition,
} from '@ws-gateway/core';
import { KafkajsRecordSource } from '@ws-gateway/kafka-source';
import { defaultPolicy, logger } from '../lib/fixtures.js';

export interface RouterTask {
  readonly brokers: string;
  readonly kafkaTopic: string;
  readonly groupId: string;
  readonly records: number;
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

  override async sourcePositions(): Promise<SourcePosition[]> {
    return [];
  }

  override async claimSource(): Promise<boolean> {
    return true;
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

/** A writer that is never called: all records of the load can be used. */
const noLetters: RecordWriter = {
  write: () => Promise.reject(new Error('a record of the load became a dead letter')),
  stop: async () => undefined,
};

let engine: DiscardEngine | null = null;

async function start(task: RouterTask): Promise<void> {
  const { brokers, kafkaTopic, groupId } = task;
  engine = new DiscardEngine(task.records);
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
    topics: [defaultPolicy('notifications', kafkaTopic)],
    groupId,
    deadLetterTopic: '',
    roomRetention: null,
  };
  const limits = { maxRecordBytes: 1024 * 1024, perUserStats: false };
  await new Router({ source, engine, writer: noLetters, stats, logger }, { ...options, ...limits }).start();
}

serveParent({
  start,
  received: () => engine?.received,
  arrivals: () => engine?.arrivals(),
});

import type { Cluster, Kafka } from 'kafkajs';
import type { SourceRecord } from '@ws-gateway/core';
import { createClient } from './client.js';
import { ClusterAdmin } from './cluster-admin.js';
import { errorLabel, toKafkaError } from './errors.js';
import type { KafkaConnectionOptions } from './options.js';
import { readPartition, type PartitionBounds } from './partition-read.js';
import { pause, withDeadline } from './timing.js';

const RETRY = { initialRetryTime: 100, maxRetryTime: 500, retries: 2 };
const CONNECT_TIMEOUT_MS = 10_000;
const COORDINATOR_TIMEOUT_MS = 10_000;
const COORDINATOR_ATTEMPTS = 25;
const COORDINATOR_PAUSE_MS = 200;
const COORDINATOR_MOVES: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
]);

/** Commits of a member that is in no generation: for groups that nobody joins. */
const NO_GENERATION = { groupGenerationId: -1, memberId: '' };

interface OffsetsBroker {
  offsetFetch(request: object): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>;
  offsetCommit(request: object): Promise<unknown>;
}

/**
 * Reads records without joining a group, for tools that look at topics: nothing is committed and nobody's partitions move.
 * All calls reject with a KafkaError.
 */
export class TopicReader {
  readonly #options: KafkaConnectionOptions;
  readonly #admin: ClusterAdmin;
  readonly #retired = new AbortController();
  #cluster: Promise<Cluster> | null = null;

  constructor(options: KafkaConnectionOptions) {
    this.#options = options;
    this.#admin = new ClusterAdmin(options);
  }

  /** Reads the bounds of the partitions; null when the topic does not exist. */
  async bounds(topic: string): Promise<PartitionBounds[] | null> {
    return this.#admin.topicBounds(topic);
  }

  /**
   * Gives the records from `begin` to before `end` to `take`, in order. Returns the offset behind them: `end`, or before it
   * that of the first open transaction. Rejects at a batch that cannot be read.
   */
  async read(
    topic: string,
    bounds: PartitionBounds,
    take: (records: readonly SourceRecord[]) => void,
  ): Promise<number> {
    return this.#using(topic, (cluster) => readPartition(cluster, { topic, ...bounds }, take));
  }

  /** Reads what a group that nobody joins has committed, by partition. */
  async committed(groupId: string, topic: string, partitions: readonly number[]): Promise<Map<number, number>> {
    const asked = partitions.map((partition) => ({ partition }));
    return this.#withCoordinator(groupId, topic, async (broker) => {
      const { responses } = await broker.offsetFetch({ groupId, topics: [{ topic, partitions: asked }] });
      const offsets = responses[0]?.partitions ?? [];
      return new Map(
        offsets
          .map(({ partition, offset }) => [partition, Number(offset)] as const)
          .filter(([, offset]) => offset >= 0),
      );
    });
  }

  async commit(groupId: string, topic: string, offsets: ReadonlyMap<number, number>): Promise<void> {
    const partitions = [...offsets].map(([partition, offset]) => ({ partition, offset: String(offset), metadata: '' }));
    await this.#withCoordinator(groupId, topic, (broker) =>
      broker.offsetCommit({ groupId, ...NO_GENERATION, topics: [{ topic, partitions }] }),
    );
  }

  async close(): Promise<void> {
    await this.#admin.close();
    const cluster = this.#cluster;
    this.#cluster = null;
    await cluster?.then((connected) => connected.disconnect()).catch(() => undefined);
    this.#retired.abort();
  }

  /** A group's coordinator may be just being found: the first group of a fresh broker takes a moment. */
  async #withCoordinator<T>(groupId: string, topic: string, work: (broker: OffsetsBroker) => Promise<T>): Promise<T> {
    return this.#using(topic, async (cluster) => {
      for (let attempt = 1; ; attempt++) {
        try {
          const broker = (await cluster.findGroupCoordinator({ groupId })) as unknown as OffsetsBroker;
          return await withDeadline(work(broker), COORDINATOR_TIMEOUT_MS, 'group offsets');
        } catch (error) {
          if (attempt === COORDINATOR_ATTEMPTS || !COORDINATOR_MOVES.has(errorLabel(error))) throw error;
        }
        await pause(COORDINATOR_PAUSE_MS, this.#retired.signal);
      }
    });
  }

  async #using<T>(topic: string, work: (cluster: Cluster) => Promise<T>): Promise<T> {
    try {
      this.#cluster ??= this.#connect();
      const cluster = await withDeadline(this.#cluster, CONNECT_TIMEOUT_MS, 'connecting');
      await withDeadline(cluster.addTargetTopic(topic), CONNECT_TIMEOUT_MS, 'topic query');
      return await work(cluster);
    } catch (error) {
      throw toKafkaError(error);
    }
  }

  async #connect(): Promise<Cluster> {
    const client = createClient(this.#options, { retry: RETRY, retired: this.#retired.signal });
    const cluster = clusterOf(client);
    await cluster.connect();
    return cluster;
  }
}

/** kafkajs gives a cluster to consumers and producers only; the call that makes one is behind a symbol of its client. */
function clusterOf(client: Kafka): Cluster {
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description?.endsWith('createCluster'));
  const create = (client as unknown as Record<symbol, (options: object) => Cluster>)[symbol!]!;
  return create({ metadataMaxAge: 60_000, allowAutoTopicCreation: false });
}

import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import type { SourceRecord } from '@ws-gateway/core';
import { errorLabel, isUnknownTopic, KafkaError } from './errors.js';
import { firstRecordFrom, readPartition } from './partition-read.js';
import { subscriptionAssigner } from './subscription-assigner.js';
import { fetchTopicIds, type RequestingBroker } from './topic-ids.js';

/** Members of kafkajs' cluster beyond its published type; `onMemberId` is the patch's. */
interface PooledCluster {
  onMemberId?: (memberId: string) => Promise<void>;
  readonly brokerPool: {
    readonly metadata: ClusterMetadata | null;
    findConnectedBroker(): Promise<RequestingBroker>;
    refreshMetadata(topics: readonly string[]): Promise<void>;
  };
}

interface ClusterMetadata {
  readonly clusterId?: string | null;
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[];
  }[];
}

export interface ClusterHooks {
  readonly beforeJoin: () => Promise<void>;
  /** The broker gave the consumer its id, which it sends with its next request. The join waits for this. Never rejects. */
  readonly memberIdGiven: (memberId: string) => Promise<void>;
  /**
   * The broker did not know one of the consumer's topics, or a partition has another leader, which may lack the end of
   * what the one before gave.
   */
  readonly logsDoubtful: () => void;
}

export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly begin: number;
}

/**
 * The connections of one kafkajs consumer. kafkajs hands them to partition assigners and has no other hook for what is
 * needed here:
 *
 * - A consumer must be able to settle and commit what it was given before it joins anew. kafkajs sends JoinGroup at once,
 *   and from then on the broker refuses commits of the old generation; some rejoins (new partitions, stale metadata) are
 *   not even announced by an event. But the first thing of every join is to ask for the group's coordinator.
 * - A consumer must survive the loss of its only broker. kafkajs may forget it and then crash for want of any (one of
 *   five kills).
 * - A topic that is made again must not be read on in. kafkajs asks for topics that are gone until they are there, and
 *   then goes on where it was.
 */
export class ConsumerCluster {
  readonly #hooks: ClusterHooks;
  #cluster: Cluster | null = null;
  /** What all members of the group subscribe to, as this one knew when it last led the group. */
  groupTopics: readonly string[] = [];
  #findCoordinator: Cluster['findGroupCoordinator'] | null = null;

  constructor(hooks: ClusterHooks) {
    this.#hooks = hooks;
  }

  /** Assigner for the consumer. */
  readonly assigner: PartitionAssigner = (config) => {
    const { cluster } = config;
    this.#cluster = cluster;
    this.#findCoordinator = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = (group) => this.#coordinatorForJoin(group);
    (cluster as unknown as PooledCluster).onMemberId = this.#hooks.memberIdGiven;
    rememberNodes(cluster);
    noticeChanges(cluster, this.#hooks.logsDoubtful);
    return subscriptionAssigner(cluster, (topics) => (this.groupTopics = topics));
  };

  /** '' while it is not known, and of brokers that give none. */
  get clusterId(): string {
    if (this.#cluster === null) return '';
    return (this.#cluster as unknown as PooledCluster).brokerPool.metadata?.clusterId ?? '';
  }

  /** See fetchTopicIds. */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.#cluster === null) return new Map();
    // Whichever answers: one of several brokers that is away must not keep partitions from being opened.
    const { brokerPool } = this.#cluster as unknown as PooledCluster;
    return fetchTopicIds(await brokerPool.findConnectedBroker(), topics);
  }

  /**
   * Reads a partition from `begin` to its end, beside the group: a consumer of its own would need a group of its own.
   * Returns the offset behind what was read: the log's end, or its first open transaction.
   */
  async read(range: PartitionRange, take: (records: readonly SourceRecord[]) => void): Promise<number> {
    return readPartition(this.#known(), { ...range, end: Infinity }, take);
  }

  /** The first record at the offset or behind it; null where the log ends before. */
  async recordFrom(topic: string, partition: number, offset: number): Promise<SourceRecord | null> {
    return firstRecordFrom(this.#known(), { topic, partition, offset });
  }

  #known(): Cluster {
    if (this.#cluster === null) throw new KafkaError('not_owned', 'not in the group yet');
    return this.#cluster;
  }

  async #coordinatorForJoin(group: { groupId: string }) {
    await this.#hooks.beforeJoin();
    try {
      return await this.#findCoordinator!(group);
    } catch (error) {
      // Another word for "no broker answers just now", but kafkajs takes it for lasting.
      if (errorLabel(error) === 'KafkaJSGroupCoordinatorNotFound') throw new kafkajs.KafkaJSError(String(error));
      throw error;
    }
  }
}

function noticeChanges(cluster: Cluster, logsDoubtful: () => void): void {
  const { brokerPool } = cluster as unknown as PooledCluster;
  const refresh = brokerPool.refreshMetadata.bind(brokerPool);
  let leaders = leadersIn(brokerPool.metadata);
  brokerPool.refreshMetadata = async (topics) => {
    try {
      await refresh(topics);
    } catch (error) {
      if (isUnknownTopic(error)) logsDoubtful();
      throw error;
    }
    const before = leaders;
    leaders = leadersIn(brokerPool.metadata);
    if ([...leaders].some(([name, leader]) => leader !== (before.get(name) ?? leader))) logsDoubtful();
  };
}

/** By `topic/partition`; those that have none just now are left out. */
function leadersIn(metadata: ClusterMetadata | null): Map<string, number> {
  const leaders = new Map<string, number>();
  for (const { topic, partitionMetadata } of metadata?.topicMetadata ?? []) {
    for (const { partitionId, leader } of partitionMetadata) {
      if (leader >= 0) leaders.set(`${topic}/${partitionId}`, leader);
    }
  }
  return leaders;
}

/** Fetching from a node that is gone makes kafkajs look for it again; having none makes it crash. */
function rememberNodes(cluster: Cluster): void {
  const getNodeIds = cluster.getNodeIds.bind(cluster);
  let known: number[] = [];
  cluster.getNodeIds = () => {
    const now = getNodeIds();
    if (now.length > 0) known = now;
    return known;
  };
}

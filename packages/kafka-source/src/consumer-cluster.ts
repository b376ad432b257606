import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import Batch from 'kafkajs/src/consumer/batch.js';
import type { SourceRecord } from '@ws-gateway/core';
import { toSourceRecords } from './convert.js';
import { errorLabel, KafkaError, toKafkaError } from './errors.js';
import { subscriptionAssigner } from './subscription-assigner.js';
import { fetchTopicIds, type RequestingBroker } from './topic-ids.js';

/** Methods of kafkajs' broker object beyond its published type. */
interface WholeBroker extends RequestingBroker {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  fetch(request: object): Promise<{ responses: { partitions: object[] }[] }>;
}

export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly begin: number;
}

const READ_WAIT_MS = 100;
const READ_BYTES = 1024 * 1024;
/** For a single record: a batch that is larger comes whole. */
const RECORD_BYTES = 16 * 1024;
/** So often in a row an answer may hold nothing although the log goes on. */
const EMPTY_ANSWERS_MAX = 50;

/**
 * The connections of one kafkajs consumer. kafkajs hands them to partition assigners and has no other hook for what is
 * needed here:
 *
 * - A consumer must be able to settle and commit what it was given before it joins anew. kafkajs sends JoinGroup at once,
 *   and from then on the broker refuses commits of the old generation; some rejoins (new partitions, stale metadata) are
 *   not even announced by an event. But the first thing of every join is to ask for the group's coordinator.
 * - A consumer must survive the loss of its only broker. kafkajs may forget it and then crash for want of any (one of
 *   five kills); the crashed member cannot leave, and the group waits for its session to end.
 */
export class ConsumerCluster {
  readonly #beforeJoin: () => Promise<void>;
  #cluster: Cluster | null = null;
  /** What all members of the group subscribe to, as this one knew when it last led the group. */
  groupTopics: readonly string[] = [];
  #findCoordinator: Cluster['findGroupCoordinator'] | null = null;

  constructor(beforeJoin: () => Promise<void>) {
    this.#beforeJoin = beforeJoin;
  }

  /** Assigner for the consumer. */
  readonly assigner: PartitionAssigner = (config) => {
    const { cluster } = config;
    this.#cluster = cluster;
    this.#findCoordinator = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = (group) => this.#coordinatorForJoin(group);
    rememberNodes(cluster);
    return subscriptionAssigner(cluster, (topics) => (this.groupTopics = topics));
  };

  /** Takes a member out of the group that could not leave by itself: the others get its partitions at once. */
  async leave(groupId: string, memberId: string): Promise<void> {
    const broker = await this.#findCoordinator?.({ groupId });
    await (broker as WholeBroker | undefined)?.leaveGroup({ groupId, memberId });
  }

  /** See fetchTopicIds; nothing when no broker answers. */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const nodeId = this.#cluster?.getNodeIds()[0];
    if (nodeId === undefined) return new Map();
    const broker = (await this.#cluster!.findBroker({ nodeId: String(nodeId) })) as unknown as WholeBroker;
    return fetchTopicIds(broker, topics);
  }

  /**
   * Reads a partition from `begin` to its end, beside the group, which kafkajs has no call for: a consumer of its own would
   * need a group of its own. Returns the offset behind what was read: the log's end, or its first open transaction.
   */
  async read(
    { topic, partition, begin }: PartitionRange,
    take: (records: readonly SourceRecord[]) => void,
  ): Promise<number> {
    let next = begin;
    for (let empty = 0; empty < EMPTY_ANSWERS_MAX;) {
      const batch = await this.#fetch(topic, partition, { offset: next, maxBytes: READ_BYTES });
      take(toSourceRecords(batch.messages));
      empty = batch.lastOffsetRead === null ? empty + 1 : 0;
      next = Math.max(next, (batch.lastOffsetRead ?? -1) + 1);
      if (next >= Number(batch.lastStableOffset)) return next;
    }
    throw new KafkaError('unavailable', `${topic}/${partition} gave nothing behind offset ${next}`);
  }

  /** The first record at the offset or behind it; null where the log ends before. */
  async recordFrom(topic: string, partition: number, offset: number): Promise<SourceRecord | null> {
    let next = offset;
    for (let empty = 0; empty < EMPTY_ANSWERS_MAX;) {
      const batch = await this.#fetch(topic, partition, { offset: next, maxBytes: RECORD_BYTES });
      if (batch.messages.length > 0) return toSourceRecords(batch.messages.slice(0, 1))[0]!;
      empty = batch.lastOffsetRead === null ? empty + 1 : 0;
      next = Math.max(next, (batch.lastOffsetRead ?? -1) + 1);
      if (next >= Number(batch.lastStableOffset)) return null;
    }
    throw new KafkaError('unavailable', `${topic}/${partition} gave nothing behind offset ${next}`);
  }

  /** What was compacted away, and what was never committed, is left out. */
  async #fetch(topic: string, partition: number, from: { offset: number; maxBytes: number }): Promise<Batch> {
    const { offset, maxBytes } = from;
    const broker = await this.#leaderOf(topic, partition);
    const { responses } = await broker.fetch({
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: READ_WAIT_MS,
      minBytes: 1,
      maxBytes,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes }] }],
    });
    const batch = new Batch(topic, String(offset), responses[0]!.partitions[0]!);
    if (batch.unreadable !== null && batch.messages.length === 0) throw toKafkaError(batch.unreadable);
    return batch;
  }

  async #leaderOf(topic: string, partition: number): Promise<WholeBroker> {
    const cluster = this.#cluster;
    if (cluster === null) throw new KafkaError('not_owned', 'not in the group yet');
    const leaders = cluster.findLeaderForPartitions(topic, [partition]);
    const leader = Object.keys(leaders)[0];
    if (leader === undefined) throw new KafkaError('unavailable', `no leader of ${topic}/${partition} is known`);
    return (await cluster.findBroker({ nodeId: leader })) as unknown as WholeBroker;
  }

  async #coordinatorForJoin(group: { groupId: string }) {
    await this.#beforeJoin();
    try {
      return await this.#findCoordinator!(group);
    } catch (error) {
      // Another word for "no broker answers just now", but kafkajs takes it for lasting.
      if (errorLabel(error) === 'KafkaJSGroupCoordinatorNotFound') throw new kafkajs.KafkaJSError(String(error));
      throw error;
    }
  }
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

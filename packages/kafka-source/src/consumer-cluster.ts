import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import Batch from 'kafkajs/src/consumer/batch.js';
import type { SourceRecord } from '@ws-gateway/core';
import { toSourceRecords } from './convert.js';
import { errorLabel, KafkaError } from './errors.js';

/** What kafkajs' broker object can do beyond its published type. */
interface WholeBroker {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
  fetch(request: object): Promise<{ responses: { partitions: object[] }[] }>;
}

export interface PartitionRange {
  readonly topic: string;
  readonly partition: number;
  readonly begin: number;
  /** Read at least up to here; what has come since is read, too. */
  readonly end: number;
}

const READ_WAIT_MS = 100;
const READ_BYTES = 1024 * 1024;

/**
 * The connections of one kafkajs consumer. kafkajs hands them to partition assigners and has no other hook for what is
 * needed here:
 *
 * - A consumer must be able to settle and commit what it was given before it joins anew. kafkajs sends JoinGroup at once,
 *   and from then on the broker refuses commits of the old generation; some rejoins (new partitions, stale metadata) are
 *   not even announced by an event. But the first thing of every join is to ask for the group's coordinator.
 * - A consumer must survive the loss of its only broker. kafkajs may forget it and then crash for want of any (one of
 *   five kills); the crashed member can't leave, and the group waits for its session to end.
 */
export class ConsumerCluster {
  readonly #beforeJoin: () => Promise<void>;
  #cluster: Cluster | null = null;
  #findCoordinator: Cluster['findGroupCoordinator'] | null = null;

  constructor(beforeJoin: () => Promise<void>) {
    this.#beforeJoin = beforeJoin;
  }

  /** To be given to the consumer. Assigns like kafkajs' default. */
  readonly assigner: PartitionAssigner = (config) => {
    const { cluster } = config;
    this.#cluster = cluster;
    this.#findCoordinator = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = (group) => this.#coordinatorForJoin(group);
    rememberNodes(cluster);
    return kafkajs.PartitionAssigners.roundRobin(config);
  };

  /** Takes a member out of the group that could not leave by itself: the others get its partitions at once. */
  async leave(groupId: string, memberId: string): Promise<void> {
    const broker = await this.#findCoordinator?.({ groupId });
    await (broker as WholeBroker | undefined)?.leaveGroup({ groupId, memberId });
  }

  /**
   * Reads a part of a partition beside the group, which kafkajs has no call for: a consumer of its own would need a group
   * of its own. Returns the offset behind the last record read.
   */
  async read(range: PartitionRange, take: (records: readonly SourceRecord[]) => void): Promise<number> {
    const { topic, partition, begin, end } = range;
    let next = begin;
    let highWatermark = end;
    while (next < highWatermark) {
      // Knows what was compacted away and what was never committed.
      const batch = new Batch(topic, String(next), await this.#fetch(topic, partition, next));
      highWatermark = Math.max(end, Number(batch.highWatermark));
      take(toSourceRecords(batch.messages));
      next = Math.max(next, Number(batch.lastOffset())) + 1;
    }
    return next;
  }

  async #fetch(topic: string, partition: number, fetchOffset: number): Promise<object> {
    const cluster = this.#cluster;
    if (cluster === null) throw new KafkaError('not_owned', 'not in the group yet');
    const leaders = cluster.findLeaderForPartitions(topic, [partition]);
    const leader = Object.keys(leaders)[0];
    if (leader === undefined) throw new KafkaError('unavailable', `no leader of ${topic}/${partition} is known`);
    const broker = (await cluster.findBroker({ nodeId: leader })) as unknown as WholeBroker;
    const { responses } = await broker.fetch({
      replicaId: -1,
      isolationLevel: 1,
      maxWaitTime: READ_WAIT_MS,
      minBytes: 1,
      maxBytes: READ_BYTES,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(fetchOffset), maxBytes: READ_BYTES }] }],
    });
    return responses[0]!.partitions[0]!;
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

import kafkajs, { type Cluster, type PartitionAssigner } from 'kafkajs';
import { errorLabel } from './errors.js';

/** What kafkajs' broker object can do beyond its published type. */
interface LeavableBroker {
  leaveGroup?(request: { groupId: string; memberId: string }): Promise<unknown>;
}

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
  #findCoordinator: Cluster['findGroupCoordinator'] | null = null;

  constructor(beforeJoin: () => Promise<void>) {
    this.#beforeJoin = beforeJoin;
  }

  /** To be given to the consumer. Assigns like kafkajs' default. */
  readonly assigner: PartitionAssigner = (config) => {
    const { cluster } = config;
    this.#findCoordinator = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = (group) => this.#coordinatorForJoin(group);
    rememberNodes(cluster);
    return kafkajs.PartitionAssigners.roundRobin(config);
  };

  /** Takes a member out of the group that could not leave by itself: the others get its partitions at once. */
  async leave(groupId: string, memberId: string): Promise<void> {
    const broker = await this.#findCoordinator?.({ groupId });
    await (broker as LeavableBroker | undefined)?.leaveGroup?.({ groupId, memberId });
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

import kafkajs, { type Cluster, type PartitionAssigner, type RetryOptions } from 'kafkajs';
import { createClient } from './client.js';
import { errorFields } from './errors.js';
import type { KafkaConnectionOptions } from './options.js';
import { withDeadline } from './timing.js';

/** Method of kafkajs' broker object beyond its published type. */
interface GroupBroker {
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>;
}

const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 500, retries: 2 };
const DEADLINE_MS = 2_000;

/**
 * Takes members out of the group that cannot leave by themselves, each time over a connection of its own: a broker answers
 * what comes over one connection in turn, and the consumer's may wait in a JoinGroup for the very member that is to go.
 */
export class GroupExit {
  readonly #connection: KafkaConnectionOptions;
  readonly #groupId: string;

  constructor(connection: KafkaConnectionOptions, groupId: string) {
    this.#connection = connection;
    this.#groupId = groupId;
  }

  /** A member that is gone already is no error. */
  async leave(memberId: string): Promise<void> {
    const retired = new AbortController();
    let found: Cluster | null = null;
    // kafkajs hands its connections to partition assigners and to nobody else. This consumer never runs.
    const assigner: PartitionAssigner = (config) => {
      found = config.cluster;
      return kafkajs.PartitionAssigners.roundRobin(config);
    };
    const client = createClient(this.#connection, { retry: RETRY, retired: retired.signal });
    const consumer = client.consumer({ groupId: this.#groupId, partitionAssigners: [assigner], retry: RETRY });
    try {
      await withDeadline(this.#leave(found!, memberId), DEADLINE_MS, 'leaving the group');
    } finally {
      retired.abort();
      consumer.disconnect().catch((error: unknown) => {
        this.#connection.logger.debug('connection for leaving the group not closed cleanly', errorFields(error));
      });
    }
  }

  async #leave(cluster: Cluster, memberId: string): Promise<void> {
    await cluster.connect();
    const broker = (await cluster.findGroupCoordinator({ groupId: this.#groupId })) as unknown as GroupBroker;
    await broker.leaveGroup({ groupId: this.#groupId, memberId }).catch((error: { type?: string }) => {
      if (error.type !== 'UNKNOWN_MEMBER_ID') throw error;
    });
  }
}

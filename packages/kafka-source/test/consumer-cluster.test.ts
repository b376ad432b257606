import { describe, expect, test } from '@jest/globals';
import { type Cluster, type PartitionAssigner } from 'kafkajs';
import { ConsumerCluster } from '../src/consumer-cluster.js';

/** The two answers of kafkajs' cluster object that are corrected, where a broker cannot be made to give them at will. */

function hooked(cluster: Partial<Cluster>): Cluster {
  const brokerPool = { refreshMetadata: async () => undefined };
  const config = { cluster: Object.assign(cluster, { brokerPool }), groupId: 'g', logger: {} };
  const hooks = {
    beforeJoin: async () => undefined,
    memberIdGiven: async () => undefined,
    logsDoubtful: () => undefined,
  };
  new ConsumerCluster(hooks).assigner(config as unknown as Parameters<PartitionAssigner>[0]);
  return config.cluster as Cluster;
}

describe('ConsumerCluster', () => {
  // kafkajs forgets a broker whose connection broke. When it was the only one, the next look at the list of brokers
  // crashed the consumer, and its ghost held up the group until its session ended: in two of nine kills of a broker.
  test('keeps the last known brokers when all are gone', () => {
    let brokers = [1, 2];
    const cluster = hooked({ getNodeIds: () => brokers, findGroupCoordinator: async () => Promise.reject() });
    expect(cluster.getNodeIds()).toEqual([1, 2]);
    brokers = [];
    expect(cluster.getNodeIds()).toEqual([1, 2]);
    brokers = [2];
    expect(cluster.getNodeIds()).toEqual([2]);
  });

  test('lets a join be tried again when no broker names the coordinator', async () => {
    const lasting = Object.assign(new Error('none'), { name: 'KafkaJSGroupCoordinatorNotFound', retriable: false });
    const cluster = hooked({ getNodeIds: () => [], findGroupCoordinator: async () => Promise.reject(lasting) });
    await expect(cluster.findGroupCoordinator({ groupId: 'g' })).rejects.toMatchObject({ retriable: true });
  });
});

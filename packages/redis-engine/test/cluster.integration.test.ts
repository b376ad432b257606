import { afterAll, beforeAll } from '@jest/globals';
import { RedisCluster } from '@ws-gateway/testkit';
import { engineConformance } from '@ws-gateway/testkit/engine-conformance';
import { clusterServer, createHarness } from './harness.js';

let cluster: RedisCluster;
beforeAll(async () => {
  // Nothing is to fail here, however busy the machine is.
  cluster = await RedisCluster.start({ nodeTimeoutMs: 15_000 });
}, 90_000);
afterAll(() => cluster?.stop());

const harness = () => createHarness({ server: clusterServer(cluster.nodes), partitions: 16 });
engineConformance('RedisEngine over a Redis Cluster', harness, { severalNodes: true });

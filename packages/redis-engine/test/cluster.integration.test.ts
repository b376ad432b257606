import { afterAll, beforeAll } from '@jest/globals';
import { CertificateAuthority, RedisCluster } from '@ws-gateway/testkit';
import { engineConformance } from '@ws-gateway/testkit/engine-conformance';
import { Redis } from 'ioredis';
import { rightsIn } from './documented-rights.js';
import { clusterServer, createHarness } from './harness.js';

const USER = { username: 'gateway', password: 'gateway-secret' };
const RIGHTS = rightsIn('xread').replace('~wsg:*', '~test-*');
const authority = new CertificateAuthority();
const access = { ...USER, tls: { ca: authority.cert } };

let cluster: RedisCluster;
beforeAll(async () => {
  // Nothing is to fail here, however busy the machine is.
  cluster = await RedisCluster.start({ nodeTimeoutMs: 15_000, tls: authority.issue('redis') });
  for (const node of cluster.nodes) {
    const admin = new Redis({ ...node, tls: access.tls });
    const rule = `on >${USER.password} ${RIGHTS} +cluster|slots`;
    await admin.acl('SETUSER', USER.username, ...rule.split(' '));
    await admin.quit();
  }
}, 90_000);
afterAll(() => cluster?.stop());

const harness = () => createHarness({ server: { ...clusterServer(cluster.nodes), ...access }, partitions: 16 });
engineConformance('RedisEngine over a Redis Cluster, by TLS, with the documented rights', harness, {
  severalNodes: true,
});

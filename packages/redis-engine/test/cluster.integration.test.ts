import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CertificateAuthority, RedisCluster } from '@ws-gateway/testkit';
import { engineConformance, RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { rightsFrom, rightsIn } from './documented-rights.js';
import { clusterServer, createHarness } from './harness.js';

const USER = { username: 'gateway', password: 'gateway-secret' };
const ELSEWHERE = ' +pubsub|numsub +publish +subscribe +unsubscribe';
const RIGHTS = rightsIn('xread')
  .replaceAll('wsg:*', 'test-*')
  .replace(ELSEWHERE, ` ${rightsFrom('+cluster|myid')}`);
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

// All channels go by the log that nodes share, which is read with the inbox here, too.
const layout = { partitions: 16, sharingNodesMin: 1 };
const harness = () => createHarness({ server: { ...clusterServer(cluster.nodes), ...access }, ...layout });
engineConformance('RedisEngine over a Redis Cluster, by TLS, with the documented rights', harness, {
  severalNodes: true,
});

it('the rights that are documented for a cluster are enough for shard channels', async () => {
  let announcements = 0;
  for (const node of cluster.nodes) {
    const admin = new Redis({ ...node, tls: access.tls });
    expect(await admin.acl('LOG')).toEqual([]);
    announcements += Number(/^cmdstat_spublish:calls=(\d+)/m.exec(await admin.info('commandstats'))?.[1] ?? 0);
    await admin.quit();
  }
  expect(announcements).toBeGreaterThan(0);
});

it('a router in a cluster is told what concerns it', async () => {
  const { createEngine } = await harness();
  const [edge, router] = [createEngine('edge'), createEngine('router', { role: 'router' })];
  const inbox = new RecordingInbox();
  await edge.start(new RecordingInbox());
  await router.start(inbox);
  try {
    expect(await edge.control({ kind: 'node', node: 'router' }, { command: 'drain' })).toBe(1);
    await inbox.waitFor(() => inbox.commands.length === 1, 'the command');
  } finally {
    await router.stop();
    await edge.stop();
  }
});

import { afterEach, describe, expect, it } from '@jest/globals';
import {
  RedisCluster,
  RedisSentinels,
  replicaInSync,
  waitFor,
  type Config,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { GatewayCluster, record } from './gateway-cluster.js';

const USERS = Array.from({ length: 12 }, (_, i) => `user-${i}`);
const PATIENCE_MS = 40_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}, 60_000);

const readiness = async ({ httpUrl }: GatewayProcess) => (await fetch(`${httpUrl}/ready`)).text();

async function openCluster(redis: Config): Promise<GatewayCluster> {
  const topics = { notifications: { history: { size: 100, ttl: '10m' } } };
  const cluster = await GatewayCluster.open({ topics, nodes: [{ config: { redis } }, { config: { redis } }] });
  cleanups.push(() => cluster.close());
  return cluster;
}

/** Checks that sockets on both nodes get everything, once and in order, before, during and after `fail`. */
async function expectSurvived(cluster: GatewayCluster, fail: () => Promise<unknown>): Promise<void> {
  const clients = await Promise.all(USERS.map((user, i) => cluster.connect(i % 2, user, 'notifications')));
  const numbers = (from: number) => Array.from({ length: 10 }, (_, i) => from + i);
  const produce = (from: number) =>
    cluster.produce('notifications', ...numbers(from).flatMap((n) => USERS.map((user) => record(user, n))));
  const received = async (from: number) => {
    for (const client of clients) {
      for (const n of numbers(from)) {
        expect(await client.next('notifications', PATIENCE_MS)).toMatchObject({ payload: n });
      }
    }
  };
  await produce(0);
  await received(0);
  await fail();
  const isUnready = async () => (await readiness(cluster.nodes[0]!)) === '{"status":"unready","failing":["redis"]}';
  await waitFor(isUnready, { what: 'unready' });
  await produce(10);
  await received(10);
  for (const node of cluster.nodes) {
    const isReady = async () => (await readiness(node)) === '{"status":"ready"}';
    await waitFor(isReady, { timeoutMs: PATIENCE_MS, what: 'ready again' });
  }
  await produce(20);
  await received(20);
  // A client that comes now is served as before.
  const late = await cluster.connect(1, 'late', 'notifications');
  await cluster.produce('notifications', record('late', 'welcome'));
  expect(await late.next('notifications', PATIENCE_MS)).toMatchObject({ payload: 'welcome' });
  for (const client of [...clients, late]) await client.close();
}

describe('gateways on', () => {
  it('a Redis Cluster keep their sockets when a master dies, and records go on', async () => {
    const redis = await RedisCluster.start({ replicas: 1 });
    cleanups.push(() => redis.stop());
    const addr = redis.nodes.slice(0, 2).map(({ host, port }) => `${host}:${port}`);
    const cluster = await openCluster({ mode: 'cluster', addr, partitions: 16 });
    await expectSurvived(cluster, async () => {
      const master = await redis.masterOf(0);
      await replicaInSync(master);
      await master.kill();
    });
  }, 180_000);

  it('a Redis under Sentinels keep their sockets when the master dies, and records go on', async () => {
    const redis = await RedisSentinels.start();
    cleanups.push(() => redis.stop());
    const nodes = redis.nodes.map(({ host, port }) => `${host}:${port}`);
    const cluster = await openCluster({ mode: 'sentinel', sentinel: { name: redis.name, nodes, ...redis.user } });
    await expectSurvived(cluster, async () => {
      await replicaInSync(redis.master);
      await redis.master.kill();
    });
  }, 180_000);
});

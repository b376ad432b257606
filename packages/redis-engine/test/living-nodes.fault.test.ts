import { afterEach, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import {
  freezeRedis,
  newDataDir,
  redisAdmin,
  refuseWrites,
  startRedis,
  stepClock,
  TcpProxy,
  testRedisUrl,
  waitFor,
} from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import type { Redis } from 'ioredis';
import type { RedisEngine, ReapedRow } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const LEASE_MS = 1000;
const REFRESH_MS = 100;
/** So long a trouble lasts. */
const TROUBLE_MS = 3 * LEASE_MS;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Scene {
  readonly admin: Redis;
  readonly keyPrefix: string;
  readonly dataDir: string;
}

/** Begins a trouble; returns what ends it. */
type Trouble = (scene: Scene) => Promise<() => unknown>;

const troubles: Record<string, Trouble> = {
  'stands still': ({ admin }) => freezeRedis(admin),
  'has too few replicas (NOREPLICAS)': ({ admin }) => refuseWrites(admin),
  'is out of memory (OOM)': async ({ admin }) => {
    await admin.config('SET', 'maxmemory', '1');
    return () => admin.config('SET', 'maxmemory', '0');
  },
  'is a replica (READONLY)': async ({ admin }) => {
    await admin.replicaof('127.0.0.1', 1);
    return () => admin.replicaof('NO', 'ONE');
  },
  'cannot write its file (MISCONF)': async ({ admin, dataDir }) => {
    await admin.config('SET', 'save', '3600 1');
    await rm(dataDir, { recursive: true });
    await admin.bgsave();
    const hasFailed = async () => (await admin.info('persistence')).includes('rdb_last_bgsave_status:err');
    await waitFor(hasFailed, { what: 'a save that fails' });
    // Without a save it also stops as it is told to.
    return () => admin.config('SET', 'save', '');
  },
  'forbids the scripts (NOPERM)': async ({ admin }) => {
    await admin.acl('SETUSER', 'default', '-evalsha');
    return () => admin.acl('SETUSER', 'default', '+evalsha');
  },
  'forbids what the scripts write (NOPERM)': async ({ admin }) => {
    await admin.acl('SETUSER', 'default', '-zadd');
    return () => admin.acl('SETUSER', 'default', '+zadd');
  },
  'has its clock stepped forward': (scene) => stepped(scene, 15_000),
  'has its clock stepped back': (scene) => stepped(scene, -15_000),
};

/** Steps the clock for good: nothing ends it. */
async function stepped({ admin, keyPrefix }: Scene, ms: number): Promise<() => unknown> {
  await stepClock(admin, keyPrefix, ms);
  return () => undefined;
}

/** Four nodes with a connection each, on a Redis of their own. */
async function fourNodes() {
  const dataDir = newDataDir();
  const redis = await startRedis({ dataDir });
  const admin = redisAdmin(redis);
  const server = serverAt(`redis://${redis.address}`);
  const harness = await createHarness({ server, leaseMs: LEASE_MS, refreshMs: REFRESH_MS, callTimeoutMs: 500 });
  cleanups.push(
    () => rm(dataDir, { recursive: true, force: true }),
    () => redis.stop(),
    async () => admin.disconnect(),
  );
  const reaped: ReapedRow[] = [];
  const nodes: { engine: RedisEngine; inbox: RecordingInbox; user: string }[] = [];
  for (const name of ['n1', 'n2', 'n3', 'n4']) {
    const engine = harness.createEngine(name, { onReaped: (rows) => reaped.push(...rows) });
    const [inbox, user] = [new RecordingInbox(), `user of ${name}`];
    await engine.start(inbox);
    cleanups.push(() => engine.stop());
    await engine.admit({ connection: `c-${name}`, user, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    nodes.push({ engine, inbox, user });
  }
  return { nodes, reaped, scene: { admin, keyPrefix: harness.keyPrefix, dataDir } };
}

/** Resolves when each node has refreshed its lease twice from now on. */
async function refreshed({ admin, keyPrefix }: Scene): Promise<void> {
  const scores = () => admin.zrange(`${keyPrefix}:{0}:nodes`, 0, -1, 'WITHSCORES');
  for (let round = 0; round < 2; round++) {
    const before = new Set((await scores()).filter((_, at) => at % 2 === 1));
    const haveMoved = async () => {
      const now = (await scores()).filter((_, at) => at % 2 === 1);
      return now.length === 4 && now.every((score) => !before.has(score));
    };
    await waitFor(haveMoved, { timeoutMs: 20_000, what: 'all leases to be refreshed' });
  }
}

describe('nodes that live', () => {
  // When Redis went on, the connection that was read first refreshed its own lease and found all others expired: three of
  // four nodes were reaped, and closed all their sockets, though nothing was missing.
  it.each(Object.keys(troubles))(
    'are not taken for dead by each other when Redis %s for longer than a lease',
    async (name) => {
      const { nodes, reaped, scene } = await fourNodes();
      await refreshed(scene);
      const beganMs = performance.now();
      const end = await troubles[name]!(scene);
      await waitFor(() => performance.now() - beganMs > TROUBLE_MS, { timeoutMs: 20_000, what: 'the trouble to last' });
      await end();
      await refreshed(scene);
      await waitFor(() => nodes.every(({ engine }) => engine.healthy), { timeoutMs: 20_000, what: 'healthy nodes' });
      await refreshed(scene);
      expect(reaped).toEqual([]);
      expect(nodes.flatMap(({ inbox }) => inbox.losses)).toEqual([]);
      for (const { user } of nodes) expect(await nodes[0]!.engine.presence(user)).toHaveLength(1);
    },
    60_000,
  );
});

describe('a node that is dead', () => {
  it('is reaped within 15 seconds of its last sign of life', async () => {
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    const harness = await createHarness();
    const reaped: ReapedRow[] = [];
    const other = harness.createEngine('other', { onReaped: (rows) => reaped.push(...rows) });
    const dead = harness.createEngine('dead', { server: { host: '127.0.0.1', port: proxy.port } });
    cleanups.push(
      () => proxy.stop(),
      () => dead.stop(),
      () => other.stop(),
    );
    await other.start(new RecordingInbox());
    await dead.start(new RecordingInbox());
    await dead.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    const cutMs = performance.now();
    proxy.cut();
    await waitFor(() => reaped.length > 0, { timeoutMs: 15_000, what: 'the row to be reaped' });
    expect(performance.now() - cutMs).toBeGreaterThan(9000);
    expect(await other.presence('u1')).toEqual([]);
  }, 30_000);
});

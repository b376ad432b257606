import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CertificateAuthority, startRedis, TcpProxy, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { engineConformance, RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { RedisServer } from '../src/options.js';
import { rightsIn } from './documented-rights.js';
import { createHarness } from './harness.js';

const PASSWORD = 'gateway-secret';
const RIGHTS = rightsIn('xread').replace('~wsg:*', '~test-*').replace('&wsg:*', '&test-*');
const authority = new CertificateAuthority();

let redis: OwnServer;
let proxy: TcpProxy;
let admin: Redis;
let server: RedisServer;

beforeAll(async () => {
  // Where a Redis is installed, all other suites run on that one.
  redis = await startRedis({ packaged: true });
  admin = new Redis({ host: '127.0.0.1', port: redis.port });
  await admin.acl('SETUSER', 'gateway', 'on', `>${PASSWORD}`, ...RIGHTS.split(' '), '+select');
  await admin.acl('SETUSER', 'default', 'resetpass', '>another');
  const tls = { ...authority.issue('redis'), ca: authority.cert, requestCert: true };
  proxy = await TcpProxy.start({ port: redis.port, tls });
  const client = { ca: authority.cert, ...authority.issue('gateway') };
  server = { host: 'localhost', port: proxy.port, username: 'gateway', password: PASSWORD, db: 3, tls: client };
}, 60_000);
afterAll(async () => {
  admin?.disconnect();
  await proxy?.stop();
  await redis?.stop();
});

engineConformance(
  'RedisEngine on Valkey, over TLS, in database 3, with the documented rights',
  () => createHarness({ server }),
  {
    severalNodes: true,
  },
);

// Only a Redis that was started again makes a node compare them.
it('rows of this node can be compared with its connections', async () => {
  const { createEngine, keyPrefix } = await createHarness({ server });
  const [engine, inbox] = [createEngine('n1'), new RecordingInbox()];
  await engine.start(inbox);
  for (const connection of ['c1', 'c2']) {
    await engine.admit({ connection, user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
  }
  inbox.openConnections = new Set(['c1 u1']);
  await admin.select(3);
  const [dataset] = await admin.keys(`${keyPrefix}:{0}:dataset`);
  await admin.set(dataset!, 'another');
  await waitFor(async () => (await engine.presence('u1')).length === 1, { what: 'the row of c2 to go' });
  await engine.stop();
});

describe('what the suite above needed', () => {
  it('is each of the documented rights, and nothing lies elsewhere', async () => {
    const stats = await admin.info('commandstats');
    const used = Array.from(stats.matchAll(/^cmdstat_(\S+):calls=(\d+)/gm), ([, name]) => name!);
    const allowed = RIGHTS.split(' ').filter((right) => right.startsWith('+'));
    expect(allowed.map((right) => right.slice(1)).filter((name) => !used.includes(name))).toEqual([]);
    expect(await admin.info('keyspace')).toMatch(/# Keyspace\s+db3:\S+\s*$/);
    expect(await admin.acl('LOG')).toEqual([]);
  });
});

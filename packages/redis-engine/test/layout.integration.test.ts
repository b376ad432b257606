import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineStats, type Logger } from '@ws-gateway/core';
import { startRedis, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { forgetLayout, RedisEngine } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const HOUR_MS = 3_600_000;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const token = (tokenId: string) => ({ tokenId, issuedAtMs: 1000 });
const comer = { connection: 'c1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };

describe('nodes with different partitions on one prefix', () => {
  // Both were healthy, and a record for a user of the other was routed to nobody, silently.
  it('refuse to start, and say how to go on', async () => {
    const harness = await createHarness();
    const [first, second] = [harness.createEngine('n1'), harness.createEngine('n2', { partitions: 16 })];
    await first.start(new RecordingInbox());
    cleanups.push(() => first.stop());
    await expect(second.start(new RecordingInbox())).rejects.toMatchObject({
      code: 'layout_mismatch',
      retryable: false,
      message: expect.stringMatching(/"partitions":1\}.*"partitions":16\}.*forget-layout/),
    });
    const same = harness.createEngine('n3');
    await same.start(new RecordingInbox());
    await same.stop();
  });

  it('refuse to start when they have another partitioner, too', async () => {
    const harness = await createHarness({ partitions: 16 });
    const first = harness.createEngine('n1', { partitioner: 'murmur2' });
    await first.start(new RecordingInbox());
    cleanups.push(() => first.stop());
    await expect(harness.createEngine('n2').start(new RecordingInbox())).rejects.toMatchObject({
      code: 'layout_mismatch',
      message: expect.stringMatching(
        /"partitions":16,"partitioner":"murmur2"\}.*"partitions":16\}.*redis\.partitioner/,
      ),
    });
  });

  it('begin on a forgotten layout, where nobody blocked or revoked comes in', async () => {
    const harness = await createHarness();
    const { keyPrefix } = harness;
    const partitioning = { partitions: 16, partitioner: 'murmur2' } as const;
    const options = { server: serverAt(testRedisUrl()), keyPrefix, partitioning };
    const users = Array.from({ length: 40 }, (_, i) => `u${i}`);
    const untilMs = Date.now() + HOUR_MS;
    const before = harness.createEngine('n1');
    await before.start(new RecordingInbox());
    for (const user of users) await before.block(user, { reason: 'x', expiresAtMs: user === 'u1' ? null : untilMs });
    await before.revoke({ tokenId: 't1' }, untilMs);
    await before.revoke({ user: 'old', issuedBeforeMs: 5000 }, untilMs);
    expect(await forgetLayout(options)).toEqual({ running: ['n1'] });
    await before.stop();
    expect(await forgetLayout(options)).toMatchObject({ kept: users.length + 2 });

    const after = harness.createEngine('n2', partitioning);
    await after.start(new RecordingInbox());
    cleanups.push(() => after.stop());
    const statusOf = async (user: string, tokenId = 't0') =>
      (await after.admit({ ...comer, user, token: token(tokenId) })).status;
    for (const user of users) expect(await statusOf(user)).toBe('blocked');
    expect(await statusOf('another', 't1')).toBe('revoked');
    expect(await statusOf('old')).toBe('revoked');
    expect(await statusOf('another')).toBe('admitted');
  }, 20_000);
});

describe('a message of a kind that a newer node sends', () => {
  // It was taken for a command, and the error of reading it ended the process: in a roll-out that of every old node.
  it('is counted and skipped, and the next one comes', async () => {
    const harness = await createHarness();
    const stats = new EngineStats();
    const engine = harness.createEngine('n1', { stats });
    const inbox = new RecordingInbox();
    await engine.start(inbox);
    cleanups.push(() => engine.stop());
    await engine.admit({ ...comer, user: 'u1' });
    const admin = new Redis(testRedisUrl());
    cleanups.push(() => admin.quit());
    const [key] = await admin.keys(`${harness.keyPrefix}:{0}:in:n1~*`);
    const sequenceKey = key ?? (await admin.keys(`${harness.keyPrefix}:{0}:seq:n1~*`))[0]!.replace(':seq:', ':in:');
    const number = await admin.incr(sequenceKey.replace(':in:', ':seq:'));
    const parts = ['x\t\t0\t', 'what is this?', 'c\t\t0\t', '{"command":"dance"}'];
    await admin.xadd(sequenceKey, `${number}-100000`, ...parts);
    await engine.publish({
      source: null,
      items: [
        { kind: 'user', topic: 't', user: 'u1', retention: null, head: 'next', sourceOffset: -1, recordTimeMs: 1 },
      ],
    });
    expect(await inbox.waitForTexts(1)).toEqual(['next']);
    expect(stats.unknownMessages).toBe(2);
    expect(inbox.commands).toEqual([]);
  });
});

describe('what a Redis says of itself', () => {
  it.each([
    ['noeviction', []],
    ['volatile-lru', ['warn redis may evict keys, set maxmemory-policy noeviction volatile-lru']],
    ['allkeys-lru', ['warn redis may evict any key, set maxmemory-policy noeviction allkeys-lru']],
  ])('is looked at when it may evict: %s', async (policy, expected) => {
    const { engine, lines, stats } = await onRedisWith((admin) => admin.config('SET', 'maxmemory-policy', policy));
    await engine.start(new RecordingInbox());
    expect(lines).toEqual(expected);
    expect([...stats.evictionPolicies]).toEqual([[policy, 1]]);
  });

  // Every server had the same name then, and a failover gave offsets a second time unnoticed.
  it('is needed: one that refuses INFO is not run on, and the log says so', async () => {
    const { engine, lines, admin } = await onRedisWith((redis) => redis.acl('SETUSER', 'default', '-info'));
    await expect(engine.start(new RecordingInbox())).rejects.toMatchObject({ code: 'unavailable' });
    expect(engine.healthy).toBe(false);
    expect(lines[0]).toBe('error redis refuses INFO');
    await admin.acl('SETUSER', 'default', '+info');
    await engine.start(new RecordingInbox());
    await waitFor(() => engine.healthy, { what: 'healthy' });
  });
});

async function onRedisWith(prepare: (admin: Redis) => Promise<unknown>) {
  const redis = await startRedis();
  const admin = new Redis({ host: '127.0.0.1', port: redis.port });
  await prepare(admin);
  const lines: string[] = [];
  const log = (level: string) => (line: string, fields?: object) => {
    lines.push([level, line, (fields as { policy?: string } | undefined)?.policy].filter(Boolean).join(' '));
  };
  const silent = (): void => undefined;
  const logger: Logger = { error: log('error'), warn: log('warn'), info: silent, debug: silent, child: () => logger };
  const stats = new EngineStats();
  const { keyPrefix } = await createHarness();
  const options = { node: 'n1', role: 'all', server: serverAt(`redis://${redis.address}`), partitions: 1 } as const;
  const engine = new RedisEngine({ logger, stats }, { ...options, keyPrefix, startTimeoutMs: 2000 });
  cleanups.push(
    () => redis.stop(),
    async () => admin.disconnect(),
    () => engine.stop(),
  );
  return { engine, admin, lines, stats };
}

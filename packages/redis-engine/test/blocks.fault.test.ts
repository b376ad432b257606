import { afterEach, describe, expect, it } from '@jest/globals';
import type { AdmitResult, Engine } from '@ws-gateway/core';
import { startRedis, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness, serverAt } from './harness.js';

const HOUR_MS = 3_600_000;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function admit(engine: Engine, user: string, tokenId = 't0'): Promise<AdmitResult> {
  const token = { tokenId, issuedAtMs: 1000 };
  return engine.admit({
    ...{ connection: `c-${user}`, user, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null },
    token,
  });
}

async function ownRedis(options: { refreshMs?: number } = {}) {
  const redis = await startRedis();
  const admin = new Redis({ host: '127.0.0.1', port: redis.port });
  const server = serverAt(`redis://${redis.address}`);
  const harness = await createHarness({ server, ...options });
  const engine = harness.createEngine('n1');
  await engine.start(new RecordingInbox());
  cleanups.push(
    () => redis.stop(),
    async () => admin.disconnect(),
    () => engine.stop(),
  );
  return { admin, engine, keyPrefix: harness.keyPrefix };
}

describe('blocks and revocations', () => {
  // Those with an end were keys with an expiry, which is what such a policy throws away first.
  it.each(['volatile-lru', 'volatile-ttl', 'volatile-random'])(
    'hold when a Redis with %s runs out of memory',
    async (policy) => {
      const { admin, engine } = await ownRedis();
      const untilMs = Date.now() + HOUR_MS;
      await engine.block('blocked', { reason: 'x', expiresAtMs: untilMs });
      await engine.revoke({ tokenId: 't1' }, untilMs);
      await engine.revoke({ user: 'old', issuedBeforeMs: 5000 }, untilMs);
      await admin.config('SET', 'maxmemory-policy', policy);
      await admin.set('fleeting', 'x', 'EX', 3600);
      await admin.config('SET', 'maxmemory', '1');
      await expect(admin.set('full', 'x')).rejects.toThrow('OOM');
      await admin.config('SET', 'maxmemory', '0');
      expect(await admin.get('fleeting')).toBeNull();
      await waitFor(() => engine.healthy, { what: 'healthy' });
      expect(await admit(engine, 'blocked')).toMatchObject({ status: 'blocked' });
      expect(await admit(engine, 'u1', 't1')).toEqual({ status: 'revoked' });
      expect(await admit(engine, 'old')).toEqual({ status: 'revoked' });
      expect(await admit(engine, 'u1')).toMatchObject({ status: 'admitted' });
    },
    30_000,
  );

  it('of an earlier release, which expire by themselves, still hold', async () => {
    const { admin, engine, keyPrefix } = await ownRedis();
    const untilMs = Date.now() + HOUR_MS;
    const block = JSON.stringify({ reason: 'x', expiresAtMs: untilMs });
    await admin.set(`${keyPrefix}:{0}:blk:blocked`, block, 'PXAT', untilMs);
    await admin.set(`${keyPrefix}:{0}:rt:t1`, '1', 'PXAT', untilMs);
    await admin.set(`${keyPrefix}:{0}:rb:old`, '5000', 'PXAT', untilMs);
    expect(await admit(engine, 'blocked')).toMatchObject({ status: 'blocked' });
    expect(await admit(engine, 'u1', 't1')).toEqual({ status: 'revoked' });
    expect(await admit(engine, 'old')).toEqual({ status: 'revoked' });
    // Revoked again for a shorter time, the longer one goes on.
    await engine.revoke({ tokenId: 't1' }, Date.now() - 1000);
    expect(await admit(engine, 'u1', 't1')).toEqual({ status: 'revoked' });
  });

  it('whose time is over leave nothing behind', async () => {
    const { admin, engine, keyPrefix } = await ownRedis({ refreshMs: 20 });
    const pastMs = Date.now() - 1000;
    await engine.block('over', { reason: 'x', expiresAtMs: pastMs });
    await engine.block('again', { reason: 'x', expiresAtMs: pastMs });
    await engine.block('again', { reason: 'for ever', expiresAtMs: null });
    await engine.revoke({ tokenId: 't1' }, pastMs);
    await engine.revoke({ user: 'u1', issuedBeforeMs: 5000 }, pastMs);
    expect(await admit(engine, 'over', 't1')).toMatchObject({ status: 'admitted' });
    expect(await admit(engine, 'u1')).toMatchObject({ status: 'admitted' });
    const left = async () => (await admin.keys(`${keyPrefix}:{0}:*`)).filter((key) => /:(blk|rt|rb|ends)/.test(key));
    await waitFor(async () => (await left()).length === 1, { what: 'the rest to be taken away' });
    expect(await left()).toEqual([`${keyPrefix}:{0}:blk:again`]);
  });
});

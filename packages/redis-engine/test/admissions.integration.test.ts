import { afterEach, describe, expect, it } from '@jest/globals';
import type { AdmitRequest, Engine } from '@ws-gateway/core';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { startRedis } from '@ws-gateway/testkit';
import { Redis } from 'ioredis';
import { createHarness, serverAt } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function node() {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const admin = new Redis({ host: '127.0.0.1', port: redis.port });
  cleanups.push(async () => admin.disconnect());
  // No refresh and no other call comes between.
  const harness = await createHarness({ server: serverAt(`redis://${redis.address}`), refreshMs: 60_000 });
  const engine = harness.createEngine('n1');
  await engine.start(new RecordingInbox());
  cleanups.push(() => engine.stop());
  return { admin, engine, base: `${harness.keyPrefix}:{0}:` };
}

const request: AdmitRequest = {
  connection: 'c',
  user: 'u1',
  endpoint: '/ws',
  sinceMs: 1,
  streams: [],
  sessions: null,
};

const retention = { mode: 'ordered', size: 10, ttlMs: 60_000 } as const;

function admitAll(engine: Engine, count: number, options: (at: number) => Partial<AdmitRequest>) {
  const connections = Array.from({ length: count }, (_, at) => ({ ...request, connection: `c${at}`, ...options(at) }));
  return Promise.all(connections.map((one) => engine.admit(one)));
}

async function scriptCalls(admin: Redis, action: () => Promise<unknown>): Promise<number> {
  await admin.config('RESETSTAT');
  await action();
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1] ?? 0);
}

describe('connections that come in one turn of the event loop', () => {
  it('are admitted by one call to Redis, and those that go are released by one', async () => {
    const { admin, engine } = await node();
    const admitted = await scriptCalls(admin, () => admitAll(engine, 50, (at) => ({ user: `u${at}` })));
    const gone = Array.from({ length: 50 }, (_, at) => ({ connection: `c${at}`, user: `u${at}` }));
    const released = await scriptCalls(admin, () => Promise.all(gone.map((row) => engine.release([row]))));
    expect({ admitted, released }).toEqual({ admitted: 1, released: 1 });
    expect(await engine.presence('u7')).toEqual([]);
  });

  it('are asked about in several calls when there are many, because Redis serves nobody else meanwhile', async () => {
    const { admin, engine } = await node();
    const calls = await scriptCalls(admin, () => admitAll(engine, 200, (at) => ({ user: `u${at}` })));
    expect(calls).toBe(4);
  });

  it('are each told the tops of their own streams and of those they share', async () => {
    const { engine } = await node();
    const streams = (user: string) => [
      { stream: `t/u/${user}`, retention, user },
      { stream: 'news', retention, user: null },
    ];
    const head = '{"event":"x","stream":"t/u/u3","epoch":"';
    const item = { kind: 'user', topic: 't', user: 'u3', retention, head, sourceOffset: -1, recordTimeMs: 1 } as const;
    await engine.publish({ source: null, items: [item, item] });
    const results = await admitAll(engine, 5, (at) => ({ user: `u${at}`, streams: streams(`u${at}`) }));
    const offsets = results.map(
      (result) => result.status === 'admitted' && result.positions.map(({ offset }) => offset),
    );
    expect(offsets).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
      [2, 0],
      [0, 0],
    ]);
    const shared = results.map((result) => result.status === 'admitted' && result.positions[1]);
    expect(new Set(shared.map((position) => JSON.stringify(position))).size).toBe(1);
  });

  it('of one user share the places that the user has: who came first is in', async () => {
    const { engine } = await node();
    const sessions = { max: 2, policy: 'reject' } as const;
    const results = await admitAll(engine, 4, () => ({ sessions }));
    expect(results.map(({ status }) => status)).toEqual(['admitted', 'admitted', 'session_limit', 'session_limit']);
  });

  // All of a call failed together: whoever came in the same turn as a user with such a row was told to come back.
  it('are not kept out by one whose row cannot be read', async () => {
    const { admin, engine, base } = await node();
    await admin.set(`${base}pres:u1`, 'no hash');
    const results = await Promise.allSettled(
      ['u0', 'u1', 'u2'].map((user) => engine.admit({ ...request, connection: user, user })),
    );
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await engine.presence('u2')).toHaveLength(1);
  });

  it('leave no row when they are released before Redis was asked', async () => {
    const { engine } = await node();
    // Scheduled before, so that the end of the turn is there for releases first.
    const earlier = engine.release([{ connection: 'other', user: 'u9' }]);
    const admitted = engine.admit(request);
    const released = engine.release([{ connection: request.connection, user: 'u1' }]);
    await Promise.all([earlier, admitted, released]);
    expect(await engine.presence('u1')).toEqual([]);
  });

  it('may bring a token id with any text in it', async () => {
    const { engine } = await node();
    const token = { tokenId: 'a\tb\n\ud800', issuedAtMs: null };
    await engine.revoke({ tokenId: 'a\tb' }, Date.now() + 60_000);
    const results = await admitAll(engine, 2, (at) => ({ token: at === 0 ? token : { ...token, tokenId: 'a\tb' } }));
    expect(results.map(({ status }) => status)).toEqual(['admitted', 'revoked']);
  });
});

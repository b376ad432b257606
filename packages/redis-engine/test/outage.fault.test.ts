import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineStats, type Engine, type PublishBatch, type PublishItem, type Retention } from '@ws-gateway/core';
import { startRedis, TcpProxy, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { ReapedRow } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const retention: Retention = { mode: 'ordered', size: 5000, ttlMs: 600_000 };
const own = { stream: 't/u/u1', retention, user: 'u1' };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function item(offset: number, text = String(offset)): PublishItem {
  const head = `{"text":"${text}","stream":"t/u/u1","epoch":"`;
  return { kind: 'user', topic: 't', user: 'u1', retention, head, sourceOffset: offset, recordTimeMs: 1 };
}

function batch(previousOffset: number, from: number, to: number): PublishBatch {
  const items = Array.from({ length: to - from + 1 }, (_, i) => item(from + i));
  return { source: { topic: 't', partition: 0, previousOffset, lastOffset: to }, items };
}

function admit(engine: Engine, connection: string, options: { rejoin?: boolean; streams?: [typeof own] } = {}) {
  return engine.admit({ connection, user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null, ...options });
}

describe('an outage of Redis', () => {
  it('fails calls at once, makes up for releases and heals', async () => {
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    const harness = await createHarness({ server: { host: '127.0.0.1', port: proxy.port } });
    const engine = harness.createEngine('n1');
    cleanups.push(
      () => proxy.stop(),
      () => engine.stop(),
    );
    await engine.start(new RecordingInbox());
    await admit(engine, 'c1');
    proxy.cut();
    await waitFor(() => !engine.healthy, { what: 'unhealthy' });
    const began = performance.now();
    await expect(engine.publish({ source: null, items: [item(-1)] })).rejects.toMatchObject({ code: 'unavailable' });
    await expect(admit(engine, 'c2')).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    await engine.release([{ connection: 'c1', user: 'u1' }]);
    expect(performance.now() - began).toBeLessThan(10_000);
    proxy.restore();
    await waitFor(() => engine.healthy, { what: 'healthy' });
    await waitFor(async () => (await engine.presence('u1')).length === 0, { what: 'no rows' });
  });

  it('loses and doubles nothing when the connection breaks again and again', async () => {
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    const harness = await createHarness();
    const inbox = new RecordingInbox();
    const receiver = harness.createEngine('receiver');
    const router = harness.createEngine('router', { server: { host: '127.0.0.1', port: proxy.port }, role: 'router' });
    cleanups.push(
      () => proxy.stop(),
      () => receiver.stop(),
      () => router.stop(),
    );
    await receiver.start(inbox);
    await router.start(new RecordingInbox());
    await admit(receiver, 'c1');
    const count = 2000;
    for (let done = 0, cuts = 0; done < count;) {
      const calls = [router.publish(batch(-1, done, done + 9)), router.publish(batch(done + 9, done + 10, done + 19))];
      if (done % 100 === 0 && cuts++ < 20) {
        proxy.cut();
        proxy.restore();
      }
      const [first, second] = await Promise.allSettled(calls);
      if (first!.status === 'fulfilled') done += second!.status === 'fulfilled' ? 20 : 10;
      else await waitFor(() => router.healthy, { what: 'the router to be healthy' });
    }
    await inbox.waitForTexts(count);
    expect(inbox.texts()).toEqual(Array.from({ length: count }, (_, i) => String(i)));
    expect(inbox.messages.map(({ offset }) => offset)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  });

  it('gives up a call after its deadline, and leaves no row of an admission that came too late', async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const server = { host: '127.0.0.1', port: redis.port };
    const harness = await createHarness({ server, callTimeoutMs: 500 });
    const engine = harness.createEngine('n1');
    const admin = new Redis({ ...server, maxRetriesPerRequest: 0 });
    cleanups.push(
      () => admin.quit(),
      () => engine.stop(),
    );
    await engine.start(new RecordingInbox());
    await admin.client('PAUSE', 1500);
    await expect(admit(engine, 'c1')).rejects.toMatchObject({ code: 'unavailable' });
    await waitFor(() => engine.healthy, { what: 'healthy' });
    await waitFor(async () => (await engine.presence('u1')).length === 0, { what: 'no row' });
    expect(await admit(engine, 'c2')).toMatchObject({ status: 'admitted' });
    expect((await engine.presence('u1')).map(({ connection }) => connection)).toEqual(['c2']);
  });

  // ioredis waits for ever for the first answer on a connection that was taken.
  it('gives up connections that were taken and then say nothing', async () => {
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    const harness = await createHarness({ server: { host: '127.0.0.1', port: proxy.port }, callTimeoutMs: 500 });
    const engine = harness.createEngine('n1');
    cleanups.push(
      () => proxy.stop(),
      () => engine.stop(),
    );
    await engine.start(new RecordingInbox());
    proxy.cut();
    await waitFor(() => !engine.healthy && proxy.connections === 0, { what: 'unhealthy' });
    // What these say is not heard within this test.
    proxy.delayMs = 600_000;
    proxy.restore();
    await waitFor(() => proxy.connections === 4, {
      what: 'silent connections for calls, publishing, inbox and channel',
    });
    proxy.delayMs = 0;
    await waitFor(() => engine.healthy, { what: 'healthy' });
  });

  it('asks for a rebuild when Redis comes back empty, and begins new epochs', async () => {
    const first = await startRedis();
    const server = { host: '127.0.0.1', port: first.port };
    const harness = await createHarness({ server });
    const engine = harness.createEngine('n1');
    const inbox = new RecordingInbox();
    cleanups.push(() => engine.stop());
    await engine.start(inbox);
    await admit(engine, 'c1');
    await engine.publish(batch(-1, 1, 3));
    await inbox.waitForTexts(3);
    const before = await engine.read(own, null, 10);
    await first.kill();
    await waitFor(() => !engine.healthy, { what: 'unhealthy' });
    const second = await startRedis({ port: first.port });
    cleanups.unshift(() => second.stop());
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    await waitFor(() => engine.healthy, { what: 'healthy' });
    expect(inbox.holesOf('u1')).toEqual([]);
    expect(await admit(engine, 'c1', { rejoin: true })).toMatchObject({ status: 'admitted' });
    // The lane goes on behind a call that this Redis has never seen.
    await expect(engine.publish(batch(3, 4, 4))).rejects.toMatchObject({ code: 'source_gap' });
    // Nor does it take the call for a beginning, until somebody has looked at what is there.
    await expect(engine.publish(batch(-1, 4, 4))).rejects.toMatchObject({ code: 'source_gap' });
    await engine.claimSource('t', 0, { seen: await engine.sourcePositions('t', 0), forget: false });
    await engine.publish(batch(-1, 4, 4));
    await inbox.waitForTexts(4);
    expect(inbox.messages[3]).toMatchObject({ text: '4', offset: 1 });
    const after = await engine.read(own, { epoch: before.epoch, offset: 3 }, 10);
    expect([after.epoch === before.epoch, after.recovered, after.messages.length]).toEqual([false, false, 1]);
  });

  it('survives a flush of the scripts in order', async () => {
    const redis = await startRedis();
    const server = { host: '127.0.0.1', port: redis.port };
    const harness = await createHarness({ server });
    const engine = harness.createEngine('n1');
    const inbox = new RecordingInbox();
    const admin = new Redis(server);
    cleanups.push(
      () => redis.stop(),
      () => admin.quit(),
      () => engine.stop(),
    );
    await engine.start(inbox);
    await admit(engine, 'c1');
    await admin.script('FLUSH');
    const results = await Promise.allSettled([engine.publish(batch(-1, 1, 2)), engine.publish(batch(2, 3, 4))]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await engine.publish(batch(-1, 1, 2));
    await engine.publish(batch(2, 3, 4));
    expect(await inbox.waitForTexts(4)).toEqual(['1', '2', '3', '4']);
    await admin.script('FLUSH');
    expect(await admit(engine, 'c2', { streams: [own] })).toMatchObject({
      status: 'admitted',
      positions: [{ offset: 4 }],
    });
  });
});

describe('a dead node', () => {
  it.each([1, 3])('is reaped by one other node only, with %i partitions', async (partitions) => {
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    const reaped: ReapedRow[][] = [];
    const harness = await createHarness({ partitions, leaseMs: 1000, refreshMs: 100 });
    const stats = new EngineStats();
    const onReaped = (rows: readonly ReapedRow[]) => void reaped.push([...rows]);
    const others = ['n1', 'n2'].map((node) => harness.createEngine(node, { stats, onReaped }));
    const dead = harness.createEngine('dead', { server: { host: '127.0.0.1', port: proxy.port } });
    cleanups.push(
      () => proxy.stop(),
      ...others.map((engine) => () => engine.stop()),
      () => dead.stop(),
    );
    const inbox = new RecordingInbox();
    for (const engine of others) await engine.start(new RecordingInbox());
    await dead.start(inbox);
    const users = Array.from({ length: 450 }, (_, i) => `u${i}`);
    const admitAll = (options: { rejoin?: boolean } = {}) =>
      Promise.all(
        users.map((user) =>
          dead.admit({
            connection: `c-${user}`,
            user,
            endpoint: '/ws',
            sinceMs: 7,
            streams: [],
            sessions: null,
            ...options,
          }),
        ),
      );
    await admitAll();
    await dead.watch(['room/r1']);
    proxy.cut();
    await waitFor(() => reaped.flat().length >= users.length, { what: 'rows reaped' });
    await waitFor(async () => (await others[0]!.nodes()).length === 2, { what: 'two nodes' });
    expect(
      reaped
        .flat()
        .map(({ user }) => user)
        .sort(),
    ).toEqual([...users].sort());
    expect(reaped.flat()[0]).toMatchObject({ node: 'dead', endpoint: '/ws', sinceMs: 7 });
    expect(stats.presenceRowsReaped).toBe(users.length);
    for (const user of ['u0', 'u449']) expect(await others[0]!.presence(user)).toEqual([]);
    const room: PublishItem = {
      kind: 'channel',
      stream: 'room/r1',
      retention: null,
      head: 'x',
      sourceOffset: -1,
      recordTimeMs: 1,
    };
    expect(await others[1]!.publish({ source: null, items: [room] })).toMatchObject({ routed: 0, offline: 1 });

    // It was suspended only: it registers again, tells its sockets to recover, and its new rows stay.
    proxy.restore();
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    expect(inbox.holesOf('u1')).toHaveLength(1);
    await waitFor(() => dead.healthy, { what: 'healthy' });
    await admitAll({ rejoin: true });
    await dead.watch(['room/r1']);
    expect(await others[1]!.publish({ source: null, items: [room, item(-1)] })).toMatchObject({ routed: 2 });
    await inbox.waitFor(() => inbox.messages.length === 2, 'both messages');
    expect(stats.presenceRowsReaped).toBe(users.length);
  });

  // All leases had run out when Redis was back, and the first node that was back as well took the others for dead.
  it('is none that was away just as long as Redis was', async () => {
    const harness = await createHarness({ leaseMs: 5000, refreshMs: 100 });
    const stats = new EngineStats();
    const admin = new Redis(testRedisUrl());
    cleanups.push(() => admin.quit());
    const nodes = await Promise.all(
      ['n1', 'n2'].map(async (name) => {
        const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
        const engine = harness.createEngine(name, { stats, server: { host: '127.0.0.1', port: proxy.port } });
        const inbox = new RecordingInbox();
        cleanups.push(
          () => proxy.stop(),
          () => engine.stop(),
        );
        await engine.start(inbox);
        return { proxy, engine, inbox };
      }),
    );
    const [first, second] = [nodes[0]!, nodes[1]!];
    await admit(second.engine, 'c1');
    const leases = () => admin.zrange(`${harness.keyPrefix}:{0}:nodes`, '0', '-1', 'WITHSCORES');
    for (const { proxy } of nodes) proxy.cut();
    const haveEnded = async () => (await leases()).every((field, i) => i % 2 === 0 || Number(field) < Date.now());
    await waitFor(haveEnded, { what: 'the leases to end' });

    first.proxy.restore();
    await waitFor(() => first.engine.healthy, { what: 'the first to be back' });
    // Some of its rounds later, in each of which it looks for dead nodes.
    const leaseOfFirst = async () =>
      Number((await leases())[1 + (await leases()).findIndex((f) => f.startsWith('n1'))]);
    const before = await leaseOfFirst();
    await waitFor(async () => (await leaseOfFirst()) > before + 300, { what: 'some rounds' });
    second.proxy.restore();
    await waitFor(() => second.engine.healthy, { what: 'the second to be back' });
    expect(stats.presenceRowsReaped).toBe(0);
    expect(second.inbox.losses).toEqual([]);
    expect(await first.engine.presence('u1')).toHaveLength(1);
  });

  it('is registered again by the admission that finds it unknown', async () => {
    const harness = await createHarness({ refreshMs: 60_000 });
    const engine = harness.createEngine('n1');
    const inbox = new RecordingInbox();
    const admin = new Redis(testRedisUrl());
    cleanups.push(
      () => admin.quit(),
      () => engine.stop(),
    );
    await engine.start(inbox);
    const keys = await admin.keys(`${harness.keyPrefix}:*`);
    await admin.del(keys);
    expect(await admit(engine, 'c1')).toMatchObject({ status: 'admitted' });
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    await engine.publish(batch(-1, 1, 1));
    expect(await inbox.waitForTexts(1)).toEqual(['1']);
  });
});

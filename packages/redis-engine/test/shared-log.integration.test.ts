import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { EngineStats, type Engine, type PublishItem, type Retention } from '@ws-gateway/core';
import { startRedis, TcpProxy, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { RedisEngineOptions } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const STREAM = 'news/*';
const retention: Retention = { mode: 'ordered', size: 1000, ttlMs: 600_000 };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

let admin: Redis;
beforeEach(() => {
  admin = new Redis(testRedisUrl());
  cleanups.push(() => admin.quit());
});

interface Edge {
  readonly engine: Engine;
  readonly inbox: RecordingInbox;
  readonly stats: EngineStats;
}

/** A router, and nodes that all watch one stream. */
async function cluster(count: number, options: Partial<RedisEngineOptions> = {}) {
  const harness = await createHarness(options);
  const router = harness.createEngine('router', { role: 'router' });
  await router.start(new RecordingInbox());
  cleanups.push(() => router.stop());
  const start = async (node: string, own: Partial<RedisEngineOptions> = {}): Promise<Edge> => {
    const [inbox, stats] = [new RecordingInbox(), new EngineStats()];
    const engine = harness.createEngine(node, { role: 'edge', stats, ...own });
    await engine.start(inbox);
    cleanups.push(() => engine.stop());
    return { engine, inbox, stats };
  };
  const edges: Edge[] = [];
  for (let i = 0; i < count; i++) edges.push(await start(`edge-${i}`));
  for (const { engine } of edges) await engine.watch([STREAM]);
  const base = `${harness.keyPrefix}:{0}:`;
  // Nobody shares before all are known to be able to.
  await waitFor(async () => (await admin.get(`${base}sharing`)) === '1', { what: 'nodes that know of the log' });
  return { router, edges, start, base };
}

function toStream(text: string): PublishItem {
  const head = `{"text":"${text}","epoch":"`;
  return { kind: 'channel', stream: STREAM, retention, head, sourceOffset: -1, recordTimeMs: 1 };
}

function toUser(user: string, text: string): PublishItem {
  const head = `{"text":"${text}","epoch":"`;
  return { kind: 'user', topic: 't', user, retention, head, sourceOffset: -1, recordTimeMs: 1 };
}

async function publish(router: Engine, ...items: PublishItem[]): Promise<void> {
  await router.publish({ source: null, items });
}

async function admit({ engine }: Edge, user: string): Promise<void> {
  await engine.admit({ connection: `c-${user}`, user, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
}

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

/** Publishes until the log is in use: the router hears only with its next refresh that it may share. */
async function shareFirst(router: Engine, base: string): Promise<number> {
  let count = 0;
  await waitFor(
    async () => {
      await publish(router, toStream(`first ${count++}`));
      return (await admin.exists(`${base}sh`)) === 1;
    },
    { what: 'the log to be used' },
  );
  return count;
}

/** Bytes of all messages that lie in the log. */
async function bytesOf(log: string): Promise<number> {
  const batches = await admin.xrange(log, '-', '+');
  return batches.flatMap(([, parts]) => parts).reduce((sum, part) => sum + part.length, 0);
}

describe('the log that nodes share', () => {
  it('has what all nodes get, once, and their inboxes have none of it', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    await shareFirst(router, base);
    const before = await Promise.all((await admin.keys(`${base}seq:edge*`)).map((key) => admin.get(key)));
    const last = Number.parseInt((await admin.get(`${base}shlast`))!, 10);
    for (const text of numbers(0, 20)) await publish(router, toStream(text));
    for (const { inbox } of edges) {
      await inbox.waitFor(() => inbox.texts().includes('19'), 'the last message');
      expect(inbox.texts().slice(-20)).toEqual(numbers(0, 20));
    }
    const after = await Promise.all((await admin.keys(`${base}seq:edge*`)).map((key) => admin.get(key)));
    expect(after).toEqual(before);
    expect(Number.parseInt((await admin.get(`${base}shlast`))!, 10)).toBe(last + 20);
  });

  it('is not used for what fewer nodes get than is worth it', async () => {
    const { router, edges, base, start } = await cluster(2, { sharingNodesMin: 3 });
    const other = await start('other');
    for (const text of numbers(0, 10)) await publish(router, toStream(text));
    for (const { inbox } of edges) expect(await inbox.waitForTexts(10)).toEqual(numbers(0, 10));
    expect(await admin.exists(`${base}sh`)).toBe(0);
    expect(other.inbox.messages).toEqual([]);
  });

  it('is trimmed to what some node has not read', async () => {
    const { router, base } = await cluster(2, { sharingNodesMin: 2 });
    await shareFirst(router, base);
    for (const text of numbers(0, 30)) await publish(router, toStream(text));
    await waitFor(async () => (await admin.xlen(`${base}sh`)) === 1, { what: 'a trimmed log' });
  });

  it('forgets a node that has left', async () => {
    const { edges, base } = await cluster(3, { sharingNodesMin: 2 });
    expect(await admin.zcard(`${base}shread`)).toBe(3);
    await edges[2]!.engine.stop();
    expect(await admin.zcard(`${base}shread`)).toBe(2);
  });

  it('keeps its bound whatever a node does not read, and only that node is told that it has missed something', async () => {
    const inboxBytesMax = 200_000;
    const { router, edges, base, start } = await cluster(2, { inboxBytesMax, sharingNodesMin: 2 });
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    cleanups.push(() => proxy.stop());
    const cut = await start('cut', { server: { host: '127.0.0.1', port: proxy.port } });
    await cut.engine.watch([STREAM]);
    const first = await shareFirst(router, base);
    await cut.inbox.waitFor(() => cut.inbox.messages.length > 0, 'a message');
    proxy.cut();
    await waitFor(() => !cut.engine.healthy, { what: 'the node to notice' });
    const texts = numbers(0, 80).map((text) => `${text} ${'x'.repeat(5000)}`);
    for (const [i, text] of texts.entries()) {
      await publish(router, toStream(text));
      expect(await bytesOf(`${base}sh`)).toBeLessThan(inboxBytesMax + 10_000);
      // Nobody else is ever behind.
      for (const { inbox } of edges) await inbox.waitForTexts(first + i + 1);
    }
    proxy.restore();
    await cut.inbox.waitFor(() => cut.inbox.texts().includes(texts[79]!), 'the newest message');
    expect(cut.inbox.holesOf(STREAM).length).toBeGreaterThan(0);
    expect(cut.stats.gapRepairs.values.get('lost')).toBeGreaterThan(0);
    for (const { inbox } of edges) {
      await inbox.waitForTexts(first + 80);
      expect(inbox.texts().slice(first)).toEqual(texts);
      expect(inbox.losses).toEqual([]);
    }
  });

  it('is read on where a node was when it was cut off', async () => {
    const { router, edges, base, start } = await cluster(2, { sharingNodesMin: 2 });
    const proxy = await TcpProxy.start(serverAt(testRedisUrl()));
    cleanups.push(() => proxy.stop());
    const cut = await start('cut', { server: { host: '127.0.0.1', port: proxy.port } });
    await cut.engine.watch([STREAM]);
    await admit(cut, 'u1');
    await shareFirst(router, base);
    await publish(router, toStream('before'));
    await cut.inbox.waitFor(() => cut.inbox.texts().includes('before'), 'the message before');
    proxy.cut();
    await waitFor(() => !cut.engine.healthy, { what: 'the node to notice' });
    const texts = numbers(0, 60);
    for (const text of texts) await publish(router, Number(text) % 3 === 0 ? toUser('u1', text) : toStream(text));
    proxy.restore();
    await cut.inbox.waitFor(() => cut.inbox.texts().at(-1) === '59', 'the last message');
    expect(cut.inbox.texts().slice(-60)).toEqual(texts);
    expect([cut.inbox.losses, edges[0]!.inbox.losses]).toEqual([[], []]);
  });

  it('and inboxes keep the order of everything while a stream changes from one to the other', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    const [steady, , changing] = edges;
    await admit(steady!, 'u1');
    const first = await shareFirst(router, base);
    const numberOf = async (key: string) => Number.parseInt((await admin.get(key)) ?? '0', 10);
    const [sequenceKey] = await admin.keys(`${base}seq:edge-0~*`);
    const counts = async () => [await numberOf(`${base}shlast`), await numberOf(sequenceKey!)] as const;
    const [sharedBefore, ownBefore] = await counts();
    let isOver = false;
    const changes = (async () => {
      for (let round = 0; round < 100; round++) {
        await changing!.engine.unwatch([STREAM]);
        await changing!.engine.watch([STREAM]);
      }
    })().finally(() => (isOver = true));
    const texts: string[] = [];
    while (!isOver) {
      const next = numbers(texts.length, texts.length + 5);
      texts.push(...next);
      await Promise.all(next.map((text, i) => publish(router, i === 0 ? toUser('u1', text) : toStream(text))));
    }
    await changes;
    await steady!.inbox.waitForTexts(first + texts.length);
    expect(steady!.inbox.texts().slice(first)).toEqual(texts);
    const [shared, own] = await counts();
    // Both were used, for more than what is for the user.
    expect([shared - sharedBefore > 0, own - ownBefore > texts.length / 5]).toEqual([true, true]);
  });

  // During a roll-out both releases run: a node of the one before knows neither the log nor the number in its inbox.
  it('leaves a node of a release before its own copy', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    const first = await shareFirst(router, base);
    const old = 'old~abc123';
    await admin.set(`${base}seq:${old}`, 0);
    await admin.set(`${base}room:${old}`, 1_000_000);
    await admin.hset(`${base}int:${STREAM}`, old, '1');
    const last = Number.parseInt((await admin.get(`${base}shlast`))!, 10);
    for (const text of numbers(0, 5)) await publish(router, toStream(text));
    for (const { inbox } of edges) expect((await inbox.waitForTexts(first + 5)).slice(first)).toEqual(numbers(0, 5));
    expect(Number.parseInt((await admin.get(`${base}shlast`))!, 10)).toBe(last + 5);
    const batches = await admin.xrange(`${base}in:${old}`, '-', '+');
    expect(batches.map(([, parts]) => parts.length)).toEqual([2, 2, 2, 2, 2]);
    expect(batches.map(([, [header]]) => header!.split('\t')[1])).toEqual(Array(5).fill(STREAM));
  });

  // What such a node publishes does not say behind which batch of the log it came.
  it('is not written to while a node of a release before may publish, and is read to its end', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    const first = await shareFirst(router, base);
    await admin.zadd(`${base}nodes`, Date.now() + 600_000, 'old~abc123');
    let count = 0;
    const isShared = async () => {
      const before = await admin.get(`${base}shlast`);
      await publish(router, toStream(String(count++)));
      return (await admin.get(`${base}shlast`)) !== before;
    };
    await waitFor(async () => !(await isShared()), { what: 'messages to go by the inboxes' });
    await admin.zrem(`${base}nodes`, 'old~abc123');
    await waitFor(isShared, { what: 'messages to go by the log again' });
    for (const { inbox } of edges) {
      await inbox.waitForTexts(first + count);
      expect(inbox.texts().slice(first)).toEqual(numbers(0, count));
      expect(inbox.losses).toEqual([]);
    }
  });

  it('that lost its newest batches is noticed: nodes are told that they may have missed something, and go on', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    const first = await shareFirst(router, base);
    for (const text of numbers(0, 5)) await publish(router, toStream(text));
    for (const { inbox } of edges) await inbox.waitForTexts(first + 5);
    await admin.set(`${base}shlast`, `1-${(await admin.get(`${base}shlast`))!.split('-')[1]!}`);
    await admin.del(`${base}sh`);
    for (const { inbox } of edges) await inbox.waitFor(() => inbox.holesOf(STREAM).length > 0, 'the loss to be told');
    await publish(router, toStream('behind'));
    for (const { inbox } of edges) {
      await inbox.waitForTexts(first + 6);
      expect(inbox.texts().at(-1)).toBe('behind');
    }
  });

  it('may be gone: what is for a node alone does not wait for it', async () => {
    const { router, edges, base } = await cluster(3, { sharingNodesMin: 3 });
    const [node] = edges;
    await admit(node!, 'u1');
    await shareFirst(router, base);
    // An inbox says that it came behind batches that nobody can read any more.
    await admin.del(`${base}sh`);
    await admin.set(`${base}shlast`, `1000-${(await admin.get(`${base}shlast`))!.split('-')[1]!}`);
    await publish(router, toUser('u1', 'own'));
    await node!.inbox.waitFor(() => node!.inbox.texts().includes('own'), 'the message');
    expect(node!.inbox.holesOf(STREAM).length).toBeGreaterThan(0);
  });

  it('may be announced or not: ten cuts of the channel under load lose nothing, double nothing and keep the order', async () => {
    // Of its own: all channels of the server are cut.
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    await admin.quit();
    admin = new Redis({ host: '127.0.0.1', port: redis.port });
    const { router, edges, base } = await cluster(3, {
      server: serverAt(`redis://${redis.address}`),
      sharingNodesMin: 3,
    });
    const [steady] = edges;
    await admit(steady!, 'u1');
    const first = await shareFirst(router, base);
    const announced = () => steady!.stats.inboxBatches.values.get('announced')!;
    let isDone = false;
    const killing = (async () => {
      for (let kills = 0; kills < 10; kills++) {
        const before = announced();
        await waitFor(() => announced() > before + 5, { what: 'batches to be announced again', timeoutMs: 30_000 });
        await admin.client('KILL', 'TYPE', 'pubsub');
      }
    })().finally(() => (isDone = true));
    const texts: string[] = [];
    while (!isDone) {
      const next = numbers(texts.length, texts.length + 4);
      texts.push(...next);
      await Promise.all(next.map((text, i) => publish(router, i % 2 === 0 ? toStream(text) : toUser('u1', text))));
    }
    await killing;
    await steady!.inbox.waitForTexts(first + texts.length);
    expect(steady!.inbox.texts().slice(first)).toEqual(texts);
    for (const { inbox } of edges) expect(inbox.losses).toEqual([]);
  });
});

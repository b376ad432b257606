import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineStats } from '@ws-gateway/core';
import { startRedis, TcpProxy, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness, serverAt } from './harness.js';
import { publish } from './messages.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A publisher straight at Redis and a receiver, on which u1 is, behind a cable that can be cut. */
async function twoNodes(options: { inboxBytesMax?: number; partitions?: number } = {}, url = testRedisUrl()) {
  const server = serverAt(url);
  const proxy = await TcpProxy.start(server);
  const harness = await createHarness({ ...options, server });
  const stats = new EngineStats();
  const publisher = harness.createEngine('publisher');
  const receiver = harness.createEngine('receiver', { stats, server: { host: '127.0.0.1', port: proxy.port } });
  const inbox = new RecordingInbox();
  await publisher.start(new RecordingInbox());
  await receiver.start(inbox);
  cleanups.push(
    () => proxy.stop(),
    () => publisher.stop(),
    () => receiver.stop(),
  );
  await receiver.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
  return { proxy, publisher, receiver, inbox, stats, harness };
}

describe('inbox', () => {
  it('goes on without a gap after its connection was killed', async () => {
    // One of its own: nodes of other tests, whose connections wait like these, would be unwell for a moment.
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const url = `redis://${redis.address}`;
    const { publisher, receiver, inbox, stats, harness } = await twoNodes({}, url);
    const admin = new Redis(url);
    cleanups.push(() => admin.quit());
    await publish(publisher, 'before');
    await inbox.waitForTexts(1);
    // Those that wait in XREAD: the publisher's own inbox suffers alike.
    const clients = String(await admin.client('LIST'))
      .split('\n')
      .filter((line) => line.includes('cmd=xread'));
    await Promise.all(clients.map((line) => admin.client('KILL', 'ID', /id=(\d+)/.exec(line)![1]!)));
    await publish(publisher, ...Array.from({ length: 50 }, (_, i) => String(i)));
    await inbox.waitForTexts(51);
    expect(inbox.texts()).toEqual(['before', ...Array.from({ length: 50 }, (_, i) => String(i))]);
    expect(inbox.losses).toEqual([]);
    expect(stats.gapRepairs.values.get('lost')).toBe(0);
    expect(harness.keyPrefix).toContain('test-');
    await waitFor(() => receiver.healthy, { what: 'health' });
  });

  it('repairs what was published while the node was cut off', async () => {
    const { proxy, publisher, receiver, inbox, stats } = await twoNodes();
    await publish(publisher, 'before');
    await inbox.waitForTexts(1);
    proxy.cut();
    await waitFor(() => !receiver.healthy, { what: 'the receiver to notice' });
    await publish(publisher, 'a', 'b', 'c');
    proxy.restore();
    expect(await inbox.waitForTexts(4)).toEqual(['before', 'a', 'b', 'c']);
    expect(stats.gapRepairs.values.get('repaired')).toBe(1);
    await waitFor(() => receiver.healthy, { what: 'health' });
    expect(inbox.losses).toEqual([]);
  });

  it('asks for a rebuild when more bytes waited than may, before it hands over what is left', async () => {
    const { proxy, publisher, receiver, inbox, stats } = await twoNodes({ inboxBytesMax: 100_000 });
    proxy.cut();
    await waitFor(() => !receiver.healthy, { what: 'the receiver to notice' });
    const texts = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(5000)}`);
    await publish(publisher, ...texts);
    proxy.restore();
    await inbox.waitFor(() => inbox.texts().includes(texts[59]!), 'the newest batch');
    expect(inbox.holesOf('u1')).toHaveLength(1);
    expect(stats.gapRepairs.values.get('lost')).toBe(1);
    // Said before anything behind the gap is handed over, and what is left comes in order.
    expect(inbox.events[0]).toBe('rebuild');
    expect(inbox.texts()).toEqual(texts.slice(-inbox.texts().length));
    expect(inbox.texts().length).toBeLessThan(60);
  });

  // The bound was a number of entries worked out from the newest batch: one large batch dropped thousands of small ones.
  it('keeps all that is unread while its bytes are few, however many batches there are', async () => {
    const { proxy, publisher, receiver, inbox, stats } = await twoNodes({ inboxBytesMax: 1_000_000 });
    proxy.cut();
    await waitFor(() => !receiver.healthy, { what: 'the receiver to notice' });
    const texts = Array.from({ length: 3000 }, (_, i) => String(i));
    await Promise.all(texts.map((text) => publish(publisher, text)));
    await publish(publisher, 'x'.repeat(200_000));
    proxy.restore();
    await inbox.waitForTexts(3001);
    expect(inbox.texts().slice(0, 3000)).toEqual(texts);
    expect(inbox.losses).toEqual([]);
    expect(stats.gapRepairs.values.get('lost')).toBe(0);
  });

  it('does not count as unread what was read between two checks', async () => {
    const { publisher, inbox, stats } = await twoNodes({ inboxBytesMax: 200_000 });
    const texts = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(5000)}`);
    for (const [i, text] of texts.entries()) {
      await publish(publisher, text);
      await inbox.waitForTexts(i + 1);
    }
    expect(inbox.losses).toEqual([]);
    expect(stats.gapRepairs.values.get('lost')).toBe(0);
  });

  // A bound that happened to be used up to the last byte looked like an inbox of a release without one.
  it('keeps its bound when exactly that many bytes are unread', async () => {
    const { proxy, publisher, receiver, inbox, harness } = await twoNodes({ inboxBytesMax: 100_000 });
    const admin = new Redis(testRedisUrl());
    cleanups.push(() => admin.quit());
    const [room] = await admin.keys(`${harness.keyPrefix}:{0}:room:receiver~*`);
    proxy.cut();
    await waitFor(() => !receiver.healthy, { what: 'the receiver to notice' });
    await admin.set(room!, 0);
    await publish(publisher, 'x'.repeat(1000));
    expect(Number(await admin.get(room!))).toBeGreaterThan(90_000);
    proxy.restore();
    await inbox.waitFor(() => inbox.texts().length > 0, 'what is left');
  });

  it('is trimmed to the last batch processed', async () => {
    const { publisher, inbox, harness } = await twoNodes();
    const admin = new Redis(testRedisUrl());
    cleanups.push(() => admin.quit());
    await publish(publisher, ...Array.from({ length: 30 }, (_, i) => String(i)));
    await inbox.waitForTexts(30);
    const [key] = await admin.keys(`${harness.keyPrefix}:{0}:in:receiver~*`);
    await waitFor(async () => (await admin.xlen(key!)) === 1, { what: 'a trimmed inbox' });
    await publish(publisher, 'more');
    await inbox.waitForTexts(31);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineStats } from '@ws-gateway/core';
import { startRedis, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { RedisEngineOptions } from '../src/index.js';
import { createHarness } from './harness.js';
import { publish } from './messages.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

/** A publisher, and a receiver on which u1 is and which was told of a first message. */
async function twoNodes(options: Partial<RedisEngineOptions> = {}) {
  const harness = await createHarness(options);
  const stats = new EngineStats();
  const publisher = harness.createEngine('publisher');
  const receiver = harness.createEngine('receiver', { stats });
  const inbox = new RecordingInbox();
  const { host, port } = options.server ?? { host: '127.0.0.1', port: Number(new URL(testRedisUrl()).port) };
  const admin = new Redis({ host, port });
  await publisher.start(new RecordingInbox());
  await receiver.start(inbox);
  cleanups.push(
    () => admin.quit(),
    () => publisher.stop(),
    () => receiver.stop(),
  );
  await receiver.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
  const [key] = await admin.keys(`${harness.keyPrefix}:{0}:in:receiver~*`);
  const channel = key ?? (await inboxOf(admin, harness.keyPrefix));
  const ways = () => [stats.inboxBatches.values.get('announced')!, stats.inboxBatches.values.get('read')!];
  return { admin, publisher, receiver, inbox, stats, channel, ways };
}

/** The inbox has no key before its first batch. */
async function inboxOf(admin: Redis, keyPrefix: string): Promise<string> {
  const [key] = await admin.keys(`${keyPrefix}:{0}:seq:receiver~*`);
  return key!.replace(':seq:', ':in:');
}

async function listened({ admin, channel }: { admin: Redis; channel: string }): Promise<boolean> {
  const [, listeners] = (await admin.pubsub('NUMSUB', channel)) as [string, number];
  return listeners > 0;
}

/** Hands a message over as a release does that announces nothing. */
async function publishUnannounced({ admin, channel }: { admin: Redis; channel: string }, text: string): Promise<void> {
  const [entry] = (await admin.xrevrange(channel, '+', '-', 'COUNT', 1)) as [[string, string[]]];
  const server = entry[0].split('-')[1]!;
  const script = `return redis.call('XADD', KEYS[1], redis.call('INCR', KEYS[2]) .. '-' .. ARGV[1], 'm\\tt/u/u1\\t1\\t', ARGV[2])`;
  await admin.eval(script, 2, channel, channel.replace(':in:', ':seq:'), server, text);
}

describe('live channel', () => {
  it('brings small batches, which nobody reads from the inbox then', async () => {
    const nodes = await twoNodes();
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    await publish(nodes.publisher, 'first');
    await nodes.inbox.waitForTexts(1);
    const [announcedBefore, readBefore] = nodes.ways();
    await publish(nodes.publisher, ...numbers(0, 50));
    expect(await nodes.inbox.waitForTexts(51)).toEqual(['first', ...numbers(0, 50)]);
    const [announced, read] = nodes.ways();
    expect(announced! - announcedBefore! + read! - readBefore!).toBe(50);
    expect(announced! - announcedBefore!).toBeGreaterThan(40);
  });

  it('only tells of batches that are large, and they come in order with the small ones', async () => {
    const nodes = await twoNodes();
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    const texts = numbers(0, 60).map((text, i) => (i % 3 === 1 ? `${text} ${'x'.repeat(9000)}` : text));
    await Promise.all(texts.map((text) => publish(nodes.publisher, text)));
    expect(await nodes.inbox.waitForTexts(60)).toEqual(texts);
    expect(nodes.stats.gapRepairs.values.get('lost')).toBe(0);
  });

  it('may lose what it carries: that is read from the inbox, once and in its place', async () => {
    const nodes = await twoNodes();
    await publish(nodes.publisher, 'first');
    await nodes.inbox.waitForTexts(1);
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    await publishUnannounced(nodes, 'silent');
    await publish(nodes.publisher, 'second');
    await publishUnannounced(nodes, 'last');
    expect(await nodes.inbox.waitForTexts(4)).toEqual(['first', 'silent', 'second', 'last']);
    expect(nodes.inbox.losses).toEqual([]);
  });

  // A node of the release before announces nothing: each of its messages would be found with the next look only.
  it('is left when a batch was not announced, and then batches come as soon as they are there', async () => {
    const nodes = await twoNodes();
    await publish(nodes.publisher, 'first');
    await nodes.inbox.waitForTexts(1);
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    await publishUnannounced(nodes, 'silent');
    await waitFor(async () => !(await listened(nodes)), { what: 'the channel to be left' });
    for (const text of numbers(0, 10)) await publishUnannounced(nodes, text);
    expect(await nodes.inbox.waitForTexts(12)).toEqual(['first', 'silent', ...numbers(0, 10)]);
    expect(nodes.ways()[1]).toBeGreaterThanOrEqual(11);
  });

  it('may tell what is long over, or not there yet: nothing comes twice or from nowhere', async () => {
    const nodes = await twoNodes();
    await publish(nodes.publisher, 'first');
    await nodes.inbox.waitForTexts(1);
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    const [entry] = (await nodes.admin.xrevrange(nodes.channel, '+', '-', 'COUNT', 1)) as [[string, string[]]];
    const [number, server] = entry[0].split('-').map(Number) as [number, number];
    const header = 'm\tt/u/u1\t1\t';
    const forged = (n: number, process: number) => `${n}-${process} ${header.length} 6\n${header}forged`;
    await nodes.admin.publish(nodes.channel, forged(number, server));
    await nodes.admin.publish(nodes.channel, forged(number + 1, server + 1));
    await nodes.admin.publish(nodes.channel, forged(number + 7, server));
    await publish(nodes.publisher, 'a', 'b');
    expect(await nodes.inbox.waitForTexts(3)).toEqual(['first', 'a', 'b']);
  });

  it('can be cut ten times under load: no message is lost or comes twice, and all in order', async () => {
    // Of its own: all channels of the server are cut.
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const server = { host: '127.0.0.1', port: redis.port };
    const { publisher, inbox, admin, stats, ways } = await twoNodes({ server });
    let isDone = false;
    const killing = (async () => {
      for (let kills = 0; kills < 10; kills++) {
        const [announced] = ways();
        await waitFor(() => ways()[0]! > announced! + 5, { what: 'batches to be announced again' });
        await admin.client('KILL', 'TYPE', 'pubsub');
      }
    })().finally(() => (isDone = true));
    const texts: string[] = [];
    while (!isDone) {
      const next = numbers(texts.length, texts.length + 2);
      texts.push(...next);
      await Promise.all(next.map((text) => publish(publisher, text)));
    }
    await killing;
    expect(await inbox.waitForTexts(texts.length)).toEqual(texts);
    expect(stats.gapRepairs.values.get('lost')).toBe(0);
    expect(inbox.losses).toEqual([]);
  });

  it('is not needed: without a right to it, messages come by the inbox', async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const admin = new Redis({ host: '127.0.0.1', port: redis.port });
    await admin.acl('SETUSER', 'gateway', 'on', '>secret', '~*', '+@all', 'resetchannels');
    await admin.quit();
    const server = { host: '127.0.0.1', port: redis.port, username: 'gateway', password: 'secret' };
    const nodes = await twoNodes({ server });
    await publish(nodes.publisher, ...numbers(0, 20));
    expect(await nodes.inbox.waitForTexts(20)).toEqual(numbers(0, 20));
    expect(nodes.ways()).toEqual([0, 20]);
    expect(nodes.receiver.healthy).toBe(true);
  });
});

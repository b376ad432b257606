import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { EngineStats, type Engine } from '@ws-gateway/core';
import { redisAdmin, RedisCluster, startRedis, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import type { Redis } from 'ioredis';
import type { RedisEngineOptions } from '../src/index.js';
import { Keys } from '../src/keys.js';
import { clusterServer, createHarness } from './harness.js';
import { publish } from './messages.js';

/** Servers with channels, and the names of commands that differ. */
interface Place {
  readonly name: string;
  start(): Promise<{ stop(): Promise<unknown> }>;
  server(): Promise<RedisEngineOptions['server']>;
  /** A server that has the keys, or one that was given as a member of the cluster. */
  admin(): Promise<Redis>;
  readonly count: 'NUMSUB' | 'SHARDNUMSUB';
  readonly publish: 'publish' | 'spublish';
}

let redis: OwnServer;
const ofServer: Place = {
  name: 'of a server',
  start: async () => (redis = await startRedis()),
  server: async () => ({ host: '127.0.0.1', port: redis.port }),
  admin: async () => redisAdmin(redis),
  count: 'NUMSUB',
  publish: 'publish',
};

let cluster: RedisCluster;
const slot = new Keys('', { partitions: 1 }).slot(0);
const ofShard: Place = {
  name: 'of a shard',
  // Nothing is to fail by itself here, however busy the machine is.
  start: async () => (cluster = await RedisCluster.start({ replicas: 1, nodeTimeoutMs: 15_000 })),
  server: async () => clusterServer(cluster.nodes),
  admin: async () => redisAdmin(await cluster.masterOf(slot)),
  count: 'SHARDNUMSUB',
  publish: 'spublish',
};

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

/** A publisher, and a receiver on which u1 is and which was told of a first message. */
async function twoNodes(place: Place, access: Partial<RedisEngineOptions['server']> = {}) {
  const harness = await createHarness({ server: { ...(await place.server()), ...access } });
  const stats = new EngineStats();
  const publisher = harness.createEngine('publisher');
  const receiver = harness.createEngine('receiver', { stats });
  const inbox = new RecordingInbox();
  const admin = await place.admin();
  await publisher.start(new RecordingInbox());
  await receiver.start(inbox);
  cleanups.push(
    () => admin.quit(),
    () => publisher.stop(),
    () => receiver.stop(),
  );
  await receiver.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
  const channel = await inboxOf(admin, harness.keyPrefix);
  const ways = () => [stats.inboxBatches.values.get('announced')!, stats.inboxBatches.values.get('read')!];
  return { place, admin, publisher, receiver, inbox, stats, channel, ways };
}

/** The inbox has no key before its first batch. */
async function inboxOf(admin: Redis, keyPrefix: string): Promise<string> {
  const [key] = await admin.keys(`${keyPrefix}:{0}:seq:receiver~*`);
  return key!.replace(':seq:', ':in:');
}

async function listened({ admin, channel, place }: { admin: Redis; channel: string; place: Place }): Promise<boolean> {
  const [, listeners] = (await admin.call('PUBSUB', place.count, channel)) as [string, number];
  return listeners > 0;
}

/** Hands a message over as a release does that announces nothing. */
async function publishUnannounced({ admin, channel }: { admin: Redis; channel: string }, text: string): Promise<void> {
  const [entry] = (await admin.xrevrange(channel, '+', '-', 'COUNT', 1)) as [[string, string[]]];
  const server = entry[0].split('-')[1]!;
  const script = `return redis.call('XADD', KEYS[1], redis.call('INCR', KEYS[2]) .. '-' .. ARGV[1], 'm\\tt/u/u1\\t1\\t', ARGV[2])`;
  await admin.eval(script, 2, channel, channel.replace(':in:', ':seq:'), server, text);
}

/** Does it at each server. */
async function onEach(server: RedisEngineOptions['server'], action: (admin: Redis) => Promise<unknown>): Promise<void> {
  for (const { port } of server.cluster?.nodes ?? [server]) {
    const admin = redisAdmin({ port: port! });
    await action(admin);
    await admin.quit();
  }
}

/** Publishes, two messages at a time, until this is done; returns all texts. */
async function publishDuring(publisher: Engine, action: Promise<unknown>): Promise<string[]> {
  let isDone = false;
  const done = action.finally(() => (isDone = true));
  const texts: string[] = [];
  while (!isDone) {
    const next = numbers(texts.length, texts.length + 2);
    texts.push(...next);
    await Promise.all(next.map((text) => publish(publisher, text)));
  }
  await done;
  return texts;
}

describe.each([ofServer, ofShard])('live channel $name', (place) => {
  let servers: { stop(): Promise<unknown> };
  beforeAll(async () => {
    servers = await place.start();
  }, 90_000);
  afterAll(() => servers?.stop());

  it('brings small batches, which nobody reads from the inbox then', async () => {
    const nodes = await twoNodes(place);
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
    const nodes = await twoNodes(place);
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    const texts = numbers(0, 60).map((text, i) => (i % 3 === 1 ? `${text} ${'x'.repeat(9000)}` : text));
    await Promise.all(texts.map((text) => publish(nodes.publisher, text)));
    expect(await nodes.inbox.waitForTexts(60)).toEqual(texts);
    expect(nodes.stats.gapRepairs.values.get('lost')).toBe(0);
  });

  it('may lose what it carries: that is read from the inbox, once and in its place', async () => {
    const nodes = await twoNodes(place);
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
    const nodes = await twoNodes(place);
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
    const nodes = await twoNodes(place);
    await publish(nodes.publisher, 'first');
    await nodes.inbox.waitForTexts(1);
    await waitFor(() => listened(nodes), { what: 'the channel to be listened to' });
    const [entry] = (await nodes.admin.xrevrange(nodes.channel, '+', '-', 'COUNT', 1)) as [[string, string[]]];
    const [number, server] = entry[0].split('-').map(Number) as [number, number];
    const header = 'm\tt/u/u1\t1\t';
    const forged = (n: number, process: number) => `${n}-${process} ${header.length} 6\n${header}forged`;
    await nodes.admin[place.publish](nodes.channel, forged(number, server));
    await nodes.admin[place.publish](nodes.channel, forged(number + 1, server + 1));
    await nodes.admin[place.publish](nodes.channel, forged(number + 7, server));
    await publish(nodes.publisher, 'a', 'b');
    expect(await nodes.inbox.waitForTexts(3)).toEqual(['first', 'a', 'b']);
  });

  it('can be cut ten times under load: no message is lost or comes twice, and all in order', async () => {
    const { publisher, inbox, admin, stats, ways } = await twoNodes(place);
    const killing = (async () => {
      for (let kills = 0; kills < 10; kills++) {
        const [announced] = ways();
        await waitFor(() => ways()[0]! > announced! + 5, { what: 'batches to be announced again' });
        await admin.client('KILL', 'TYPE', 'pubsub');
      }
    })();
    const texts = await publishDuring(publisher, killing);
    expect(await inbox.waitForTexts(texts.length)).toEqual(texts);
    expect(stats.gapRepairs.values.get('lost')).toBe(0);
    expect(inbox.losses).toEqual([]);
  });

  it('is not needed: without a right to it, messages come by the inbox', async () => {
    const user = { username: 'gateway', password: 'secret' };
    const rule = ['on', '>secret', '~*', '+@all', 'resetchannels'] as const;
    await onEach(await place.server(), (admin) => admin.acl('SETUSER', user.username, ...rule));
    const nodes = await twoNodes(place, user);
    await publish(nodes.publisher, ...numbers(0, 20));
    expect(await nodes.inbox.waitForTexts(20)).toEqual(numbers(0, 20));
    expect(nodes.ways()).toEqual([0, 20]);
    expect(nodes.receiver.healthy).toBe(true);
  });
});

// SPUBLISH ends a server of 7.2 or later that began with what a release before it had written down of its cluster.
it('servers that know of no shard are not asked for announcements, and messages come by the inbox', async () => {
  cluster = await RedisCluster.start({ knowsShards: false, nodeTimeoutMs: 15_000 });
  cleanups.push(() => cluster.stop());
  const nodes = await twoNodes(ofShard);
  await publish(nodes.publisher, ...numbers(0, 20), 'x'.repeat(9000));
  expect(await nodes.inbox.waitForTexts(21)).toEqual([...numbers(0, 20), 'x'.repeat(9000)]);
  const isKnown = await inItsShard(nodes.admin);
  await waitFor(async () => (await listened(nodes)) === isKnown, {
    what: 'only a server in a shard to be listened to',
  });
  await onEach(await ofShard.server(), (admin) => admin.ping());
}, 120_000);

/** Whether the server is in a shard, as Redis 7.0 is always. */
async function inItsShard(admin: Redis): Promise<boolean> {
  return JSON.stringify(await admin.cluster('SHARDS')).includes((await admin.cluster('MYID')) as string);
}

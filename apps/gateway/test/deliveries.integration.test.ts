import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTopics, readTopic, uniqueName, waitFor, type WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, record } from './gateway-cluster.js';

interface Delivery {
  readonly id: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly user_id: string;
  readonly outcome: string;
  readonly connections: number;
  readonly latency_ms: number;
  readonly timestamp: string;
}

const OFFLINE_AFTER_MS = 1000;
const ACK_TIMEOUT_MS = 1500;

let cluster: GatewayCluster;
let told: string;

beforeAll(async () => {
  told = uniqueName('deliveries');
  await createTopics([told]);
  const config = {
    deliveries: {
      enabled: true,
      kafkaTopic: told,
      offlineAfter: `${OFFLINE_AFTER_MS}ms`,
      outcomes: ['delivered', 'offline', 'acked', 'unacked', 'expired', 'dropped'],
    },
  };
  const acknowledged = { ack: true, ackTimeout: `${ACK_TIMEOUT_MS}ms`, deliveries: true };
  cluster = await GatewayCluster.open({
    nodes: [{ config }, { config }],
    topics: {
      notifications: { deliveries: true },
      orders: acknowledged,
      ticks: { deliveries: true, mode: 'latest', slow: 'conflate', queueBytes: '1kb' },
      untold: {},
    },
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

async function deliveries(user: string): Promise<Delivery[]> {
  const records = await readTopic(told);
  return records.filter(({ key }) => key === user).map(({ value }) => JSON.parse(value!) as Delivery);
}

/** Outcomes by message id, once there are so many. */
async function outcomesOf(user: string, count: number): Promise<Record<string, string>> {
  const found = await waitFor(async () => {
    const all = await deliveries(user);
    return all.length >= count && all;
  });
  // At least once into Kafka, but always the same word.
  const words = new Map<string, string>();
  for (const { id, outcome } of found) {
    expect(words.get(id) ?? outcome).toBe(outcome);
    words.set(id, outcome);
  }
  return Object.fromEntries(words);
}

function named(user: string, id: string, members: object = {}) {
  return record(user, id, { id, ...members });
}

describe('what became of each message', () => {
  it('is told to its producer, with where the record is and how many took it', async () => {
    const clients = await Promise.all([0, 1, 1].map((node) => cluster.connect(node, 'ann', 'notifications')));
    await cluster.produce('notifications', named('ann', 'n-1'));
    const [delivery] = await waitFor(async () => {
      const found = await deliveries('ann');
      return found.length > 0 && found;
    });
    expect(delivery).toEqual({
      id: 'n-1',
      topic: 'notifications',
      partition: expect.any(Number),
      offset: 0,
      user_id: 'ann',
      outcome: 'delivered',
      connections: 3,
      latency_ms: expect.any(Number),
      timestamp: expect.any(String),
    });
    expect(new Date(delivery!.timestamp).toISOString()).toBe(delivery!.timestamp);
    expect(delivery!.latency_ms).toBeGreaterThanOrEqual(0);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('is offline, for good, when nobody took it in time, also when its user comes later', async () => {
    await cluster.produce('notifications', named('bob', 'n-1'), named('bob', 'n-2'));
    expect(await outcomesOf('bob', 2)).toEqual({ 'n-1': 'offline', 'n-2': 'offline' });
    const late = await cluster.connect(1, 'bob', 'notifications', '&recover=notifications:x:0');
    await cluster.produce('notifications', named('bob', 'n-3'));
    expect(await outcomesOf('bob', 3)).toEqual({ 'n-1': 'offline', 'n-2': 'offline', 'n-3': 'delivered' });
    await late.close();
  });

  it('is offline when the user is there without the topic', async () => {
    const client = await cluster.connect(0, 'cleo', 'untold');
    await cluster.produce('untold', named('cleo', 'not-told'));
    await cluster.produce('notifications', named('cleo', 'n-1'));
    expect(await outcomesOf('cleo', 1)).toEqual({ 'n-1': 'offline' });
    await client.close();
  });

  it('counts whoever comes in time and reads it in the history', async () => {
    const first = await cluster.connect(0, 'dora', 'notifications');
    await cluster.produce('notifications', named('dora', 'n-1'));
    const { stream, epoch, offset } = await first.next('notifications');
    await first.close();
    await cluster.produce('notifications', named('dora', 'n-2'));
    const again = await cluster.connect(
      1,
      'dora',
      'notifications',
      `&recover=notifications:${String(epoch)}:${String(offset)}`,
    );
    expect(await again.next('notifications')).toMatchObject({ stream, id: 'n-2' });
    expect(await outcomesOf('dora', 2)).toEqual({ 'n-1': 'delivered', 'n-2': 'delivered' });
    await again.close();
  });

  it('is acked for everything up to an acknowledgement, unacked for what is left', async () => {
    const client = await cluster.connect(0, 'emil', 'orders');
    await cluster.produce('orders', ...['o-1', 'o-2', 'o-3'].map((id) => named('emil', id)));
    await client.next(({ id }) => id === 'o-3');
    await client.request('ack', { stream: 'orders/u/emil', offset: 2 });
    expect(await outcomesOf('emil', 3)).toEqual({ 'o-1': 'acked', 'o-2': 'acked', 'o-3': 'unacked' });
    expect((await deliveries('emil')).every(({ connections }) => connections === 1)).toBe(true);
    await client.close();
  });

  it('is expired for what was too old when it came', async () => {
    const old = { ...named('fay', 'n-1'), headers: { 'ws-ttl-ms': '1000' }, timestamp: Date.now() - 60_000 };
    await cluster.produce('notifications', old);
    expect(await outcomesOf('fay', 1)).toEqual({ 'n-1': 'expired' });
  });

  it('is told of each user of a record, and of nobody where a record is for a stream of many', async () => {
    const many = { key: 'x', value: { user_ids: ['gus', 'hal'], payload: 1, id: 'm-1' } };
    const wide = { key: 'x', value: { payload: 2, id: 'm-2' }, headers: { 'ws-audience': 'topic' } };
    await cluster.produce('notifications', wide, { ...many, headers: { 'ws-audience': 'users:gus,hal' } });
    expect(await outcomesOf('gus', 1)).toEqual({ 'm-1': 'offline' });
    expect(await outcomesOf('hal', 1)).toEqual({ 'm-1': 'offline' });
    expect((await readTopic(told)).some(({ value }) => value!.includes('m-2'))).toBe(false);
  });

  it('is dropped for what the queue of a slow client gave up, and delivered for what it read at last', async () => {
    const slow = await stalled('ida', 'ticks');
    const padding = 'x'.repeat(16_384);
    const node = cluster.nodes[0]!.httpUrl;
    const ids: string[] = [];
    // How much a socket takes without reading is the machine's to say.
    await waitFor(async () => {
      const more = Array.from({ length: 50 }, (_, at) => `t-${ids.length + at}`);
      ids.push(...more);
      await cluster.produce('ticks', ...more.map((id) => record('ida', padding, { id })));
      return /slow_consumer_actions_total\{policy="conflate"\} [1-9]/.test(await text(node));
    });
    slow.resume();
    await slow.next(({ id }) => id === ids.at(-1));
    const outcomes = await outcomesOf('ida', ids.length);
    const got = new Set(slow.frames.map(({ id }) => id));
    expect(Object.keys(outcomes).sort()).toEqual([...ids].sort());
    for (const id of ids) expect([id, outcomes[id]]).toEqual([id, got.has(id) ? 'delivered' : 'dropped']);
    expect(Object.values(outcomes)).toContain('dropped');
    await slow.close();
  });
});

async function text(node: string): Promise<string> {
  return (await fetch(`${node}/metrics`)).text();
}

/** A client that reads nothing until it is told to. */
async function stalled(user: string, topic: string): Promise<WsClient> {
  const client = await cluster.connect(0, user, topic);
  client.pause();
  return client;
}

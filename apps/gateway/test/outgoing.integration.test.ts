import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTopics, readTopic, waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let presenceTopic: string;
let inboundTopic: string;
let subscriptionsTopic: string;
let backend: Server;
let status = 200;

beforeAll(async () => {
  const name = `outgoing-${Date.now()}`;
  presenceTopic = `${name}-presence`;
  inboundTopic = `${name}-inbound`;
  subscriptionsTopic = `${name}-subscriptions`;
  await createTopics([presenceTopic, inboundTopic, subscriptionsTopic]);
  backend = createServer((_, response) => response.writeHead(status).end('{}'));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  const config = {
    subscriptions: { enabled: true, kafkaTopic: subscriptionsTopic },
    backends: { http: { notification: { url: `http://127.0.0.1:${port}/` } } },
    presence: { enabled: true, kafkaTopic: presenceTopic },
    inbound: { enabled: true, kafkaTopic: inboundTopic },
    limits: { sendsPerSecond: 0 },
  };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'edge', config },
    ],
  });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  backend.close();
}, 60_000);

const read = async (topic: string, user: string) =>
  (await readTopic(topic))
    .filter(({ key }) => key === user)
    .map(({ value }) => JSON.parse(value!) as Record<string, unknown>);

describe('what the gateway writes to Kafka', () => {
  it('tells who came and who went, in order per user', async () => {
    const client = await cluster.connect(0, 'ann', '');
    const { connection, node } = client.frames[0]!['payload'] as { connection: string; node: string };
    await client.close(1000, 'bye');
    const events = await waitFor(async () => {
      const found = await read(presenceTopic, 'ann');
      return found.length === 2 && found;
    });
    const [{ since } = {}] = events;
    const common = { user_id: 'ann', connection_id: connection, node, since, timestamp: expect.any(String) };
    expect(new Date(String(since)).toISOString()).toBe(since);
    expect(events).toEqual([
      { ...common, event: 'connected', reason: '' },
      { ...common, event: 'disconnected', reason: 'bye' },
    ]);
  });

  it('tells which subscription ids have subscribers on a node', async () => {
    const [one, two] = await Promise.all([cluster.connect(0, 'dora', ''), cluster.connect(0, 'dora', '')]);
    const subscribe = (client: WsClient, type: string) =>
      client.request('getMyNotifications', { where: { types: [type] } });
    status = 500;
    await subscribe(one, 'a');
    status = 200;
    const { event: id } = await subscribe(one, 'a');
    await subscribe(one, 'a');
    await subscribe(two, 'a');
    await one.request('subscription', { ids: [id], action: 'unsubscribe' });
    const { event: barrier } = await subscribe(one, 'b');
    await two.close();
    const events = await waitFor(async () => {
      const found = [
        ...(await read(subscriptionsTopic, id as string)),
        ...(await read(subscriptionsTopic, barrier as string)),
      ];
      return found.length === 3 && found;
    });
    const { node } = one.frames[0]!['payload'] as { node: string };
    const common = { node, timestamp: expect.any(String) };
    expect(events).toEqual([
      { ...common, event: 'added', id, command: 'getMyNotifications' },
      { ...common, event: 'removed', id },
      { ...common, event: 'added', id: barrier, command: 'getMyNotifications' },
    ]);
    await one.close();
  });

  it('tells of a connection that changes its user, to both of them', async () => {
    const client = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/web?token=${token('frida')}`);
    expect(await client.request('authentication', { authToken: token('emil') })).toMatchObject({ status: 'ok' });
    expect(await client.request('authentication', {})).toMatchObject({ status: 'ok', payload: { user: null } });
    expect(await client.request('authentication', { authToken: token('frida') })).toMatchObject({ status: 'ok' });
    await client.close(1000, 'bye');
    const brief = ({ event, reason }: Record<string, unknown>) => [event, reason];
    const events = await waitFor(async () => {
      const found = await read(presenceTopic, 'frida');
      return found.length === 4 && found;
    });
    expect(events.map(brief)).toEqual([
      ['connected', ''],
      ['disconnected', 'authentication'],
      ['connected', ''],
      ['disconnected', 'bye'],
    ]);
    const [first, ended, again, left] = events.map(({ since }) => String(since));
    expect([ended, left]).toEqual([first, again]);
    expect(again! > first!).toBe(true);
    const others = await read(presenceTopic, 'emil');
    expect(others.map(brief)).toEqual([
      ['connected', ''],
      ['disconnected', 'authentication'],
    ]);
    expect(new Set([...events, ...others].map(({ connection_id: id }) => id)).size).toBe(1);
  });

  it('tells of connections whose node died, once', async () => {
    const client = await cluster.connect(1, 'bob', '');
    await waitFor(async () => (await read(presenceTopic, 'bob')).length === 1);
    await cluster.nodes[1]!.kill();
    await client.closed;
    const events = await waitFor(
      async () => {
        const found = await read(presenceTopic, 'bob');
        return found.length >= 2 && found;
      },
      { timeoutMs: 25_000, what: 'the expired event' },
    );
    expect(events.map(({ event, reason }) => [event, reason])).toEqual([
      ['connected', ''],
      ['expired', 'node_lost'],
    ]);
    // Both events are of the same time of the same connection, though another node tells of its end.
    expect(events[1]).toMatchObject({ connection_id: events[0]!['connection_id'], since: events[0]!['since'] });
  }, 40_000);

  it('hands messages of clients to back ends, byte for byte and in order', async () => {
    const client = await cluster.connect(0, 'cleo', '');
    const payloads = Array.from({ length: 20 }, (_, at) => at);
    for (const payload of payloads) {
      client.send({ rid: payload + 1, command: 'send', options: { to: { user: 'nobody' }, payload } });
    }
    client.send('{"rid":99,"command":"send","options":{"to":{"room":"r"},"payload":{"n": 1.00}}}');
    await client.next(({ rid }) => rid === 99);
    expect(client.frames.slice(1).every(({ status }) => status === 'ok')).toBe(true);
    const records = (await readTopic(inboundTopic)).filter(({ key }) => key === 'cleo');
    expect(records.map(({ value }) => (JSON.parse(value!) as { payload: unknown }).payload)).toEqual([
      ...payloads,
      { n: 1 },
    ]);
    expect(records.at(-1)!.value).toContain('"payload":{"n": 1.00},');
    expect(JSON.parse(records[0]!.value!)).toMatchObject({
      user_id: 'cleo',
      to: { user: 'nobody' },
      connection_id: expect.any(String),
    });
    await client.close();
  });

  it('tells of the last ids when a node is stopped', async () => {
    const client = await cluster.connect(0, 'emma', '');
    const { event: id } = await client.request('getMyNotifications', { where: { types: ['a'] } });
    await cluster.nodes[0]!.stop();
    const events = await read(subscriptionsTopic, id as string);
    expect(events.map(({ event }) => event)).toEqual(['added', 'removed']);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { metric } from '../faults/gateway-processes.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { SseClient } from './sse-client.js';

let cluster: GatewayCluster;
const clients: SseClient[] = [];
let users = 0;
const newUser = () => `sse-${++users}`;

beforeAll(async () => {
  cluster = await GatewayCluster.open({
    nodes: [{}, {}],
    topics: {
      orders: {},
      quotes: { mode: 'latest', snapshot: true },
      trades: { format: 'json', map: { keyed: 'key' } },
    },
  });
});
afterAll(() => cluster.close());
afterEach(() => clients.splice(0).forEach((client) => client.close()));

const url = (at: number, query: string) => `${cluster.nodes[at]!.httpUrl}/sse?${query}`;

async function open(at: number, user: string, query = 'topics=notifications', lastId = ''): Promise<SseClient> {
  const headers = lastId === '' ? {} : { 'last-event-id': lastId };
  const client = await SseClient.open(url(at, `token=${token(user)}&${query}`), headers);
  clients.push(client);
  await client.next('connected');
  return client;
}

/** A record for all subscribers. It has a key: what has none is spread over partitions, and has no order. */
const publicRecord = (payload: unknown) => ({ key: 'all', value: { payload }, headers: { 'ws-audience': 'topic' } });

const numbersIn = (payloads: readonly unknown[]): number[] =>
  payloads.filter((payload) => typeof payload === 'number').sort((one, other) => one - other);

describe('server-sent events', () => {
  it('begin with connected, then each frame is an event with its name, its text and a position', async () => {
    const user = newUser();
    const client = await open(0, user);
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'access-control-allow-origin': '*',
    });
    const [connected] = client.events;
    expect(connected!.retry).toBeGreaterThanOrEqual(0);
    expect(JSON.parse(connected!.data)).toMatchObject({
      rid: -1,
      event: 'connected',
      payload: { user, heartbeat_ms: 25_000, topics: [{ topic: 'notifications', offset: 0 }] },
    });
    const socket = await cluster.connect(0, user, 'notifications');
    await cluster.produce('notifications', record(user, { n: 1 }), record(user, { n: 2 }));
    await client.count(2);
    await waitFor(() => socket.texts.length === 3);
    expect(client.events.slice(1).map(({ event }) => event)).toEqual(['notifications', 'notifications']);
    expect(client.events.slice(1).map(({ data }) => data)).toEqual(socket.texts.slice(1));
    const ids = client.events.map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]{1,2048}$/);
    socket.terminate();
  });

  it('resume behind any event on another node: nothing is missed, nothing comes twice', async () => {
    const user = newUser();
    const first = await open(0, user, 'topics=notifications,orders');
    const all = ['notifications', 'orders'] as const;
    for (let n = 1; n <= 6; n++) await cluster.produce(all[n % 2]!, record(user, n));
    await first.count(6);
    first.close();
    const order = first.payloads;
    for (const [at, { id }] of first.events.entries()) {
      const next = await open(1, user, 'topics=orders,notifications', id);
      await next.count(6 - at);
      const barrier = `barrier-${at}`;
      await cluster.produce('notifications', record(user, barrier));
      await waitFor(() => next.payloads.includes(barrier));
      expect(numbersIn(next.payloads)).toEqual(numbersIn(order.slice(at)));
      const rows = (next.frames[0] as { payload: { topics: { recovered: boolean }[] } }).payload.topics;
      expect(rows.map(({ recovered }) => recovered)).toEqual([true, true]);
      next.close();
    }
  });
});

describe('a client of server-sent events', () => {
  it('gets a snapshot that broke off behind connected with the next try', async () => {
    const user = newUser();
    await cluster.produce('quotes', record(user, 'newest'));
    const first = await waitFor(async () => {
      const client = await open(0, user, 'topics=quotes');
      return client.payloads.length > 0 && client;
    });
    const again = await open(1, user, 'topics=quotes', first.events[0]!.id);
    await again.count(1);
    expect(again.payloads).toEqual(['newest']);
    const last = await open(1, user, 'topics=quotes', again.lastId);
    expect(last.frames[0]).toMatchObject({ payload: { topics: [{ recovered: true, replayed: 0 }] } });
  });

  it('resumes by lastEventId in the query, which the header overrides and recover, stream by stream', async () => {
    const user = newUser();
    const first = await open(0, user, 'topics=orders');
    await cluster.produce('orders', record(user, 1), record(user, 2), record(user, 3));
    await first.count(3);
    const [connected, one, two] = first.events;
    const query = (id: string) => `topics=orders&lastEventId=${encodeURIComponent(id)}`;
    const byQuery = await open(1, user, query(one!.id));
    await byQuery.count(2);
    const byHeader = await open(1, user, query(connected!.id), two!.id);
    await byHeader.count(1);
    const { stream, epoch } = first.frames[1] as { stream: string; epoch: string };
    const recover = encodeURIComponent(`${stream}:${epoch}:1`);
    const byRecover = await open(1, user, `topics=orders&recover=${recover}`, first.lastId);
    await byRecover.count(2);
    expect([byQuery.payloads, byHeader.payloads, byRecover.payloads]).toEqual([[2, 3], [3], [2, 3]]);
  });

  it('is told recovered: false by an id of another user, and nothing of that user', async () => {
    const [one, other] = [newUser(), newUser()];
    const first = await open(0, one, 'topics=orders');
    await cluster.produce('orders', record(one, 'mine'), record(other, 'yours'));
    await first.count(1);
    const second = await open(0, other, 'topics=orders', first.lastId);
    const [row] = (second.frames[0] as { payload: { topics: object[] } }).payload.topics;
    expect(row).not.toHaveProperty('recovered');
    expect(second.payloads).toEqual([]);
  });

  it('gets what is for all subscribers, also among many, and resumes in it', async () => {
    const many = await Promise.all(Array.from({ length: 20 }, () => open(0, newUser(), 'topics=orders')));
    const socket = await cluster.connect(0, newUser(), 'orders');
    for (let n = 1; n <= 5; n++) await cluster.produce('orders', publicRecord(n));
    await Promise.all(many.map((client) => client.count(5)));
    await waitFor(() => socket.texts.length === 6);
    for (const client of many) expect(client.payloads).toEqual([1, 2, 3, 4, 5]);
    const back = await open(1, newUser(), 'topics=orders', many[0]!.events.at(-3)!.id);
    await back.count(2);
    expect(back.payloads).toEqual([4, 5]);
    socket.terminate();
  });

  it('gets the keys that it asks for, and resumes in each of them', async () => {
    const user = newUser();
    const query = 'topics=trades&keys.trades=AAPL,MSFT';
    const trade = (key: string, n: number) => ({ key, value: { n } });
    const first = await open(0, user, query);
    await cluster.produce('trades', trade('AAPL', 1), trade('MSFT', 2), trade('IBM', 3), trade('AAPL', 4));
    await first.count(3);
    const back = await open(1, user, query, first.events[0]!.id);
    await back.count(3);
    const inOrder = (client: SseClient, key: string) =>
      client.frames.filter((frame) => frame['key'] === key).map((frame) => frame['payload']);
    for (const client of [first, back]) {
      expect(inOrder(client, 'AAPL')).toEqual([{ n: 1 }, { n: 4 }]);
      expect(inOrder(client, 'MSFT')).toEqual([{ n: 2 }]);
    }
    const last = await open(1, user, query, back.lastId);
    expect(last.frames[0]).toMatchObject({
      payload: { topics: ['AAPL', 'MSFT'].map((key) => ({ key, recovered: true, replayed: 0 })) },
    });
  });

  it('gets line breaks of a producer as JSON that is the same', async () => {
    const user = newUser();
    const client = await open(0, user, 'topics=orders');
    const payload = '{"a":\r\n  1,\n\n"b":\r"x" }';
    await cluster.produce('orders', { key: user, value: `{"user_id":"${user}","payload":${payload}}` });
    await client.count(1);
    expect(client.events[1]!.data).toContain(payload.replaceAll('\r', '\n'));
    expect(client.payloads).toEqual([{ a: 1, b: 'x' }]);
  });

  it('is in presence and metrics like any other connection', async () => {
    const user = newUser();
    const client = await open(0, user, 'topics=orders');
    const socket = await cluster.connect(1, user, 'orders');
    const rid = { rid: 1, command: 'presence', options: { user } };
    socket.send(JSON.stringify(rid));
    const answer = await socket.next((frame) => frame['rid'] === 1);
    expect(answer['payload']).toMatchObject({
      connections: expect.arrayContaining([expect.objectContaining({ endpoint: '/sse' })]),
    });
    const node = cluster.nodes[0]!;
    expect(await metric(node, 'websocket_active_connections')).toBeGreaterThan(0);
    const closes = () => metric(node, 'websocket_closes_total{code="1005"}');
    const before = await closes();
    client.close();
    await waitFor(async () => (await closes()) > before);
    socket.terminate();
  });
});

describe('a request for server-sent events is refused', () => {
  const user = 'refused';
  const good = `token=${token(user)}&topics=orders`;

  it.each([
    ['', 401, 'token_missing'],
    ['token=nonsense', 401, 'token_invalid'],
    [`token=${token(user, { exp: 1 })}`, 401, 'token_expired'],
    [`token=${token(user)}&topics=nope`, 400, 'unknown_topic'],
    [`${good}&recover=orders`, 400, 'bad_request'],
    [`${good}&recover=other:abc:1`, 400, 'bad_request'],
    [`${good}&lastEventId=17`, 400, 'bad_request'],
    [`${good}&lastEventId=0.9abc~x`, 400, 'bad_request'],
    [`${good}&lastEventId=0.0abcdef~AAAAA1.7x~AAAAB1`, 400, 'bad_request'],
    [`${good}&lastEventId=0${'.0abcdef~AAAAA1'.repeat(200)}`, 400, 'bad_request'],
    [`${good}&topics=%zz`, 400, 'bad_request'],
  ])('?%s: %i %s', async (query, status, code) => {
    const refused = await SseClient.refused(url(0, query));
    expect([refused.status, refused.error['code']]).toEqual([status, code]);
    expect(refused.headers['access-control-allow-origin']).toBe('*');
  });

  it('as a WebSocket, and by other methods', async () => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    };
    const refused = await SseClient.refused(url(0, good), headers);
    expect([refused.status, refused.error['code']]).toEqual([404, 'unknown_endpoint']);
    expect((await fetch(url(0, good), { method: 'POST' })).status).toBe(405);
    const head = await fetch(url(0, good), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  });
});

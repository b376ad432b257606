import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type Frame } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

const HISTORY = 5;

let cluster: GatewayCluster;
beforeAll(async () => {
  // Both nodes keep it, because whichever of them reads the record gives it its place in the room's history.
  const config = { rooms: { history: { size: HISTORY, ttl: '1m' } } };
  cluster = await GatewayCluster.open({
    nodes: [{ config }, { config }],
    topics: {
      notifications: { history: { size: HISTORY, ttl: '1h' } },
      news: { guests: true, history: { size: HISTORY, ttl: '1h' } },
    },
  });
}, 60_000);
afterAll(() => cluster.close());

interface Row {
  readonly stream: string;
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

function rowOf(frame: Frame): Row {
  return (frame['payload'] as { topics: Row[] }).topics[0]!;
}

/** Makes a user with this number of records in the history; returns the epoch. */
async function withRecords(user: string, count: number, topic = 'notifications'): Promise<string> {
  const client = await cluster.connect(0, user, topic);
  await cluster.produce(topic, ...Array.from({ length: count }, (_, at) => record(user, at + 1)));
  const last = await client.next(({ payload }) => payload === count);
  await client.close();
  return last['epoch'] as string;
}

function isPayload(expected: unknown): (frame: Frame) => boolean {
  return ({ payload }) => payload === expected;
}

/** Returns what a connection with this query is told, and what it is sent up to the next live record. */
async function resumed(user: string, recover: string, topic = 'notifications') {
  const query = `token=${token(user)}&topics=${topic}&recover=${encodeURIComponent(recover)}`;
  const client = await WsClient.open(cluster.url(1, query));
  const row = rowOf(await client.next('connected'));
  await cluster.produce(topic, record(user, 'live'));
  await client.next(({ payload }) => payload === 'live');
  const payloads = client.frames.filter(({ event }) => event === topic).map(({ payload }) => payload);
  await client.close();
  return { recovered: row.recovered, replayed: row.replayed, payloads };
}

describe('a position in the query', () => {
  it('is gone on from on another node: everything after it, in order, once, before what is live', async () => {
    const epoch = await withRecords('ann', 7);
    const all = { recovered: true, replayed: 3, payloads: [5, 6, 7, 'live'] };
    expect(await resumed('ann', `notifications/u/ann:${epoch}:4`)).toEqual(all);
  });

  it('may name the topic alone, and may be the top', async () => {
    const epoch = await withRecords('bea', 2);
    expect(await resumed('bea', `notifications:${epoch}:2`)).toEqual({
      recovered: true,
      replayed: 0,
      payloads: ['live'],
    });
  });

  it('that the history no longer reaches is answered with recovered:false and all there is', async () => {
    const epoch = await withRecords('cid', 9);
    const rest = { recovered: false, replayed: HISTORY, payloads: [5, 6, 7, 8, 9, 'live'] };
    expect(await resumed('cid', `notifications:${epoch}:2`)).toEqual(rest);
  });

  it('of another epoch, or above the top, is answered in the same way', async () => {
    const epoch = await withRecords('dan', 2);
    for (const position of [`other:1`, `${epoch}:99`]) {
      const { recovered, payloads } = await resumed('dan', `notifications:${position}`);
      expect([recovered, payloads.slice(0, 2)]).toEqual([false, [1, 2]]);
    }
  });

  it('is refused when it cannot be read or is of a stream that is not subscribed', async () => {
    for (const recover of [
      'notifications',
      'notifications:e',
      'notifications:e:x',
      'balance-updates:e:1',
      'room/r:e:1',
    ]) {
      const query = `token=${token('eve')}&topics=notifications&recover=${encodeURIComponent(recover)}`;
      const { status, body } = await WsClient.refused(cluster.url(0, query));
      expect([recover, status, body]).toMatchObject([recover, 400, { error: { code: 'bad_request' } }]);
    }
  });

  it('in a topic that keeps the newest value gives just that', async () => {
    const epoch = await withRecords('fay', 3, 'balance-updates');
    const newest = { recovered: true, replayed: 1, payloads: [3, 'live'] };
    expect(await resumed('fay', `balance-updates:${epoch}:1`, 'balance-updates')).toEqual(newest);
  });
});

describe('a message whose life has ended', () => {
  const TTL_MS = 1500;

  // Limited on arrival only, it came again half an hour later, on every page that was loaded.
  it('is shown to nobody who comes back, asks for the history or comes anew, and positions stay', async () => {
    const client = await cluster.connect(0, 'liv', 'notifications');
    const long = { ...record('liv', 'ends'), headers: { 'ws-ttl-ms': String(TTL_MS) } };
    await cluster.produce('notifications', record('liv', 1), long, record('liv', 3));
    const [first, ends, last] = [
      await client.next(isPayload(1)),
      await client.next(isPayload('ends')),
      await client.next(isPayload(3)),
    ];
    expect([first, ends, last].map(({ offset }) => offset)).toEqual([1, 2, 3]);
    const ended = Date.parse(ends['timestamp'] as string) + TTL_MS;
    await waitFor(() => Date.now() > ended, { what: 'the end of its life' });
    const history = await client.request('history', { topic: 'notifications' });
    const { messages } = history['payload'] as { messages: Frame[] };
    expect(messages.map(({ payload }) => payload)).toEqual([1, 3]);
    const after = { epoch: first['epoch'], offset: 1 };
    const behind = await client.request('history', { topic: 'notifications', after, limit: 1 });
    expect((behind['payload'] as { messages: Frame[] }).messages).toMatchObject([{ payload: 3 }]);
    await client.close();
    const epoch = first['epoch'] as string;
    expect(await resumed('liv', `notifications:${epoch}:0`)).toMatchObject({
      recovered: true,
      payloads: [1, 3, 'live'],
    });
  });
});

describe('a position in a topic without history', () => {
  it('proves nothing', async () => {
    const query = `token=${token('jan')}&topics=user-blocks&recover=user-blocks:e1:7`;
    const client = await WsClient.open(cluster.url(0, query));
    expect(rowOf(await client.next('connected'))).toEqual({ topic: 'user-blocks', recovered: false, replayed: 0 });
    await client.close();
  });
});

describe('a position by command', () => {
  it('of a guest is one in what all get', async () => {
    const headers = { 'ws-audience': 'topic' };
    const toAll = (payload: number) => ({ key: null, value: { payload }, headers, partition: 0 });
    const guest = async () => {
      const client = await WsClient.open(`${cluster.nodes[1]!.wsUrl}/web`);
      await client.next('connected');
      return client;
    };
    const first = await guest();
    const before = rowOf(await first.request('subscribe', { topics: ['news'] })) as unknown as { public: Row };
    await cluster.produce('news', toAll(1), toAll(2));
    await first.next(({ payload }) => payload === 2);
    const again = await guest();
    const { epoch, offset } = before.public;
    const topics = [{ topic: 'news', epoch, offset: offset + 1 }];
    const answer = await again.request('subscribe', { topics });
    expect(rowOf(answer)).toMatchObject({ public: { recovered: true, replayed: 1 } });
    expect(await again.next('news')).toMatchObject({ payload: 2 });
    for (const client of [first, again]) await client.close();
  });

  it('goes on from there, as by the query', async () => {
    const epoch = await withRecords('gus', 4);
    const client = await cluster.connect(1, 'gus', '');
    const topics = [{ topic: 'notifications', epoch, offset: 2 }];
    const answer = await client.request('subscribe', { topics });
    expect(rowOf(answer)).toMatchObject({ recovered: true, replayed: 2, offset: 4 });
    await waitFor(() => client.frames.filter(({ event }) => event === 'notifications').length === 2);
    const own = client.frames.filter(({ event }) => event === 'notifications');
    expect(own.map(({ payload }) => payload)).toEqual([3, 4]);
    await client.close();
  });

  it('in a room goes on from there, too', async () => {
    const [stays, leaves] = [await cluster.connect(0, 'hal', ''), await cluster.connect(0, 'ida', '')];
    await stays.request('enter', { room: 'r1' });
    const entered = (await leaves.request('enter', { room: 'r1' }))['payload'] as Row;
    await leaves.request('leave', { room: 'r1' });
    const toRoom = (payload: unknown) => ({ key: 'hal', value: { room: 'r1', payload } });
    await cluster.produce('notifications', toRoom('one'), toRoom('two'));
    await stays.next(({ payload }) => payload === 'two');
    const { epoch, offset } = entered;
    const again = await leaves.request('enter', { room: 'r1', epoch, offset });
    expect(again['payload']).toMatchObject({ room: 'r1', recovered: true, offset: offset + 2 });
    await leaves.next(({ payload }) => payload === 'two');
    const history = await leaves.request('history', { room: 'r1', after: { epoch, offset: offset + 1 }, limit: 10 });
    expect(history['payload']).toMatchObject({ recovered: true, messages: [{ payload: 'two' }] });
    for (const client of [stays, leaves]) await client.close();
  });
});

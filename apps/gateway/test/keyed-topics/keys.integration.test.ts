import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTopic, WsClient, waitFor } from '@ws-gateway/testkit';
import { call } from '../admin/admin-client.js';
import { token, type GatewayCluster } from '../gateway-cluster.js';
import { open, openKeyedCluster, pushes, refusal, rows, rowsOf, subscribe, type Row } from './key-clients.js';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await openKeyedCluster();
}, 60_000);
afterAll(() => cluster.close());

describe('subscribing to keys of a topic', () => {
  it('brings the records of these keys and of no others, with the key in rows and frames', async () => {
    const client = await open(cluster, 'topics=trades&keys.trades=A1,B1');
    const [a, b, ...others] = await rows(client);
    expect(others).toEqual([]);
    expect(a).toMatchObject({ topic: 'trades', key: 'A1', stream: 'trades/k/A1', offset: 0 });
    expect(b).toMatchObject({ topic: 'trades', key: 'B1', stream: 'trades/k/B1', offset: 0 });
    const record = (key: string, n: number) => ({ key, value: { n }, partition: 0 });
    await cluster.produce('trades', record('A1', 1), record('C1', 2), record('B1', 3), record('A1', 4));
    const frame = await client.next('trades');
    expect(frame).toMatchObject({ topic: 'trades', key: 'A1', stream: 'trades/k/A1', epoch: a!.epoch, offset: 1 });
    expect(frame).not.toHaveProperty('user_id');
    expect(await pushes(client, 'trades', 2)).toEqual([
      ['B1', { n: 3 }],
      ['A1', { n: 4 }],
    ]);
    await client.close();
  });

  it('adds keys to those subscribed before, and tells again where those stand', async () => {
    const client = await open(cluster, 'topics=trades&keys.trades=A2');
    await client.next('connected');
    await cluster.produce('trades', { key: 'A2', value: 1 });
    await client.next('trades');
    const answer = await subscribe(client, { topic: 'trades', keys: ['B2', 'A2', 'B2'] });
    expect(answer.map(({ key, offset }) => [key, offset])).toEqual([
      ['B2', 0],
      ['A2', 1],
    ]);
    await cluster.produce('trades', { key: 'B2', value: 2, partition: 0 }, { key: 'A2', value: 3, partition: 0 });
    expect(await pushes(client, 'trades', 2)).toEqual([
      ['B2', 2],
      ['A2', 3],
    ]);
    await client.close();
  });

  it('twice at once for the same key subscribes once and answers both', async () => {
    const client = await open(cluster, '');
    await client.next('connected');
    const topics = [{ topic: 'trades', keys: ['A3'] }];
    client.send({ rid: 901, command: 'subscribe', options: { topics } });
    client.send({ rid: 902, command: 'subscribe', options: { topics } });
    const answers = [
      await client.next(({ rid }) => Number(rid) > 900),
      await client.next(({ rid }) => Number(rid) > 900),
    ];
    for (const answer of answers) expect(rowsOf(answer)).toMatchObject([{ key: 'A3', offset: 0 }]);
    await cluster.produce('trades', { key: 'A3', value: 1, partition: 0 }, { key: 'A3', value: 2, partition: 0 });
    expect(await pushes(client, 'trades', 2)).toEqual([
      ['A3', 1],
      ['A3', 2],
    ]);
    await client.close();
  });

  it('works on every node, whichever routes the records', async () => {
    const clients = [
      await open(cluster, 'topics=trades&keys.trades=A4'),
      await open(cluster, 'topics=trades&keys.trades=A4', { at: 1 }),
    ];
    for (const client of clients) await client.next('connected');
    await cluster.produce('trades', { key: 'A4', value: 1, partition: 0 }, { key: 'A4', value: 2, partition: 0 });
    for (const client of clients) {
      expect(await pushes(client, 'trades', 2)).toEqual([
        ['A4', 1],
        ['A4', 2],
      ]);
      await client.close();
    }
  });

  it('ends for the keys that unsubscribe names', async () => {
    const client = await open(cluster, 'topics=trades&keys.trades=A5,B5');
    await client.next('connected');
    const answer = await client.request('unsubscribe', { topics: [{ topic: 'trades', keys: ['A5', 'Z5'] }] });
    expect(answer).toMatchObject({ status: 'ok', payload: { topics: [{ topic: 'trades', keys: ['A5'] }] } });
    await cluster.produce('trades', { key: 'A5', value: 1, partition: 0 }, { key: 'B5', value: 2, partition: 0 });
    expect(await pushes(client, 'trades', 1)).toEqual([['B5', 2]]);
    expect(await refusal(client, 'unsubscribe', { topics: ['trades'] })).toEqual(['error', 'bad_request']);
    await client.close();
  });

  it.each(['BRK.B', '€', 'a/b', '__proto__', 'constructor', ' ', 'x:y', '%41', '*', 'x'.repeat(128), '😀'.repeat(128)])(
    'works for the key %j',
    async (key) => {
      const client = await open(cluster, `topics=named&keys.named=${encodeURIComponent(key)}`);
      const [row] = await rows(client);
      expect(row).toMatchObject({ key, stream: `named/k/${key}` });
      const offset = row!.offset!;
      await cluster.produce('named', { key: null, value: { on: key } });
      expect(await client.next('named')).toMatchObject({ key, offset: offset + 1 });
      const position = `${encodeURIComponent(row!.stream!)}:${row!.epoch!}:${offset}`;
      const again = await open(cluster, `topics=named&keys.named=${encodeURIComponent(key)}&recover=${position}`, {
        at: 1,
      });
      expect(await rows(again)).toMatchObject([{ key, recovered: true, replayed: 1 }]);
      await again.request('subscribe', { topics: [{ topic: 'named', keys: [key] }] });
      await again.close();
      await client.close();
    },
  );

  it('takes a key with commas in a parameter of its own', async () => {
    const client = await open(cluster, 'topics=trades&keys.trades=A6%2CB6,C6&key.trades=A6%2CB6');
    expect((await rows(client)).map(({ key }) => key)).toEqual(['A6', 'B6', 'C6', 'A6,B6']);
    await client.close();
  });
});

describe('coming back to keys', () => {
  it('replays what followed each position, by query and by command', async () => {
    const first = await open(cluster, 'topics=trades&keys.trades=R1,R2');
    const [r1, r2] = await rows(first);
    await first.close();
    const record = (key: string, value: number) => ({ key, value, partition: 0 });
    await cluster.produce('trades', record('R1', 1), record('R2', 2), record('R1', 3));
    const position = ({ stream, epoch, offset }: Row) => `${encodeURIComponent(stream!)}:${epoch}:${offset}`;
    const second = await open(cluster, `topics=trades&keys.trades=R1,R2&recover=${position(r1!)},${position(r2!)}`, {
      at: 1,
    });
    await waitFor(async () => (await historyOf(second, 'R1')).length === 2);
    const third = await open(cluster, `topics=trades&keys.trades=R1,R2&recover=${position(r1!)},${position(r2!)}`, {
      at: 1,
    });
    expect(await rows(third)).toMatchObject([
      { key: 'R1', recovered: true, replayed: 2 },
      { key: 'R2', recovered: true, replayed: 1 },
    ]);
    const fourth = await open(cluster, '');
    await fourth.next('connected');
    const { epoch } = r1!;
    const answer = await subscribe(fourth, {
      topic: 'trades',
      keys: ['R1', 'R2'],
      positions: { R1: { epoch, offset: 1 } },
    });
    expect(answer[0]).toMatchObject({ key: 'R1', recovered: true, replayed: 1 });
    expect(answer[1]).not.toHaveProperty('recovered');
    expect(await pushes(fourth, 'trades', 1)).toEqual([['R1', 3]]);
    for (const client of [second, third, fourth]) await client.close();
  });

  it('says recovered false for a position of another epoch, and sends what there is', async () => {
    await cluster.produce('trades', { key: 'R3', value: 1 });
    const client = await open(cluster, '');
    await client.next('connected');
    await waitFor(async () => (await historyOf(client, 'R3')).length === 1);
    const positions = { R3: { epoch: 'other', offset: 0 } };
    const answer = await subscribe(client, { topic: 'trades', keys: ['R3'], positions });
    expect(answer).toMatchObject([{ key: 'R3', recovered: false, replayed: 1 }]);
    await client.close();
  });

  async function historyOf(client: WsClient, key: string): Promise<unknown[]> {
    const { payload } = await client.request('history', { topic: 'trades', key });
    return (payload as { messages: unknown[] }).messages;
  }

  it('history takes topic and key', async () => {
    const client = await open(cluster, '');
    await client.next('connected');
    await cluster.produce('trades', { key: 'H1', value: 1, partition: 0 }, { key: 'H1', value: 2, partition: 0 });
    await waitFor(async () => (await historyOf(client, 'H1')).length === 2);
    expect(await historyOf(client, 'H1')).toMatchObject([
      { key: 'H1', payload: 1, stream: 'trades/k/H1', offset: 1 },
      { key: 'H1', payload: 2, offset: 2 },
    ]);
    expect(await historyOf(client, 'nobody wrote to it')).toEqual([]);
    expect(await refusal(client, 'history', { topic: 'trades' })).toEqual(['error', 'bad_request']);
    expect(await refusal(client, 'history', { topic: 'news', key: 'a' })).toEqual(['error', 'bad_request']);
    await client.close();
  });
});

describe('keys of which only the newest value counts', () => {
  it('bring the newest value of each, until a tombstone takes it away', async () => {
    const writer = await open(cluster, 'topics=quotes&keys.quotes=AAPL,MSFT');
    const before = await rows(writer);
    const record = (key: string, value: unknown) => ({ key, value, partition: 0 });
    await cluster.produce('quotes', record('AAPL', 1), record('AAPL', 2), record('MSFT', 3));
    expect(await pushes(writer, 'quotes', 3)).toHaveLength(3);
    const reader = await open(cluster, 'topics=quotes&keys.quotes=AAPL,MSFT,NONE', { at: 1 });
    await reader.next('connected');
    expect(await pushes(reader, 'quotes', 2)).toEqual([
      ['AAPL', 2],
      ['MSFT', 3],
    ]);
    await cluster.produce('quotes', record('AAPL', null));
    for (const client of [writer, reader]) {
      expect(await client.next('quotes')).toMatchObject({ key: 'AAPL', status: 'delete', payload: null });
    }
    const late = await open(cluster, '');
    await late.next('connected');
    await subscribe(late, { topic: 'quotes', keys: ['AAPL', 'MSFT'] });
    expect(await pushes(late, 'quotes', 1)).toEqual([['MSFT', 3]]);
    const { stream, epoch, offset } = before[0]!;
    const resuming = await open(
      cluster,
      `topics=quotes&keys.quotes=AAPL&recover=${encodeURIComponent(stream!)}:${epoch}:${offset}`,
    );
    expect(await rows(resuming)).toMatchObject([{ recovered: true, replayed: 1 }]);
    expect(await resuming.next('quotes')).toMatchObject({ key: 'AAPL', status: 'delete' });
    for (const client of [writer, reader, late, resuming]) await client.close();
  });
});

describe('keys that a claim lists', () => {
  it('are open to the bearer of the token alone', async () => {
    const client = await open(cluster, 'topics=desks&keys.desks=emea,17', { claims: { desks: ['emea', 17] } });
    expect(await rows(client)).toHaveLength(2);
    await cluster.produce('desks', { key: 'apac', value: 0, partition: 0 }, { key: 'emea', value: 1, partition: 0 });
    expect(await pushes(client, 'desks', 1)).toEqual([['emea', 1]]);
    expect(await refusal(client, 'history', { topic: 'desks', key: 'apac' })).toEqual(['forbidden', 'key_forbidden']);
    await client.close();
  });

  it('are left, and the client is told so, when a new token lists them no more', async () => {
    const client = await open(cluster, 'topics=desks,trades&keys.desks=one,two&keys.trades=A7', {
      claims: { desks: ['one', 'two'] },
    });
    await client.next('connected');
    const authToken = token('ann', { desks: ['two', 'six'] });
    client.send({ rid: 77, command: 'authentication', options: { authToken, update: true } });
    expect(await client.next('left')).toMatchObject({
      rid: -1,
      payload: { topics: [{ topic: 'desks', keys: ['one'] }], rooms: [] },
    });
    expect(await client.next(({ rid }) => rid === 77)).toMatchObject({ status: 'ok' });
    await cluster.produce('desks', { key: 'one', value: 1, partition: 0 }, { key: 'two', value: 2, partition: 0 });
    expect(await pushes(client, 'desks', 1)).toEqual([['two', 2]]);
    expect(await refusal(client, 'subscribe', { topics: [{ topic: 'desks', keys: ['one'] }] })).toEqual([
      'forbidden',
      'key_forbidden',
    ]);
    expect(await subscribe(client, { topic: 'desks', keys: ['six'] })).toHaveLength(1);
    await client.close();
  });
});

describe('guests', () => {
  it('have keys of topics for guests, and of no others', async () => {
    const url = (query: string) => `${cluster.nodes[0]!.wsUrl}/web?${query}`;
    const guest = await WsClient.open(url('topics=ticks&keys.ticks=g1'));
    expect(await rows(guest)).toEqual([{ topic: 'ticks', key: 'g1' }]);
    await cluster.produce('ticks', { key: 'g1', value: 1 });
    expect(await guest.next('ticks')).toMatchObject({ key: 'g1', payload: 1 });
    await guest.close();
    const refused = await WsClient.refused(url('topics=trades&keys.trades=g1'));
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'topic_forbidden' } } });
  });
});

describe('who else may name a key', () => {
  it('header ws-audience: a key instead of the one of the map, but no user and not the whole topic', async () => {
    const client = await open(cluster, 'topics=trades&keys.trades=W1');
    await client.next('connected');
    await cluster.produce(
      'trades',
      { key: 'other', value: 1, headers: { 'ws-audience': 'user:ann' } },
      { key: 'other', value: 2, headers: { 'ws-audience': 'topic' } },
      { key: 'other', value: 3, headers: { 'ws-audience': 'key:W1' } },
    );
    expect(await pushes(client, 'trades', 1)).toEqual([['W1', 3]]);
    await cluster.produce('news', { key: null, value: { payload: 1 }, headers: { 'ws-audience': 'key:W1' } });
    await waitFor(async () => (await readTopic(cluster.deadLetterTopic)).length >= 3);
    const letters = await readTopic(cluster.deadLetterTopic);
    expect(letters.map(({ headers }) => String(headers?.['dlq-error']))).toEqual(Array(3).fill('bad_audience'));
    await client.close();
  });

  it('POST /api/publish: a key of a topic of keys', async () => {
    const client = await open(cluster, 'topics=quotes&keys.quotes=P1', { at: 1 });
    await client.next('connected');
    const publish = (body: object) => call(cluster.nodes[0]!, 'POST /api/publish', { body });
    const { body } = await publish({ topic: 'quotes', key: 'P1', payload: 7 });
    expect(body).toEqual({ id: expect.any(String), routed: 1, stream: 'quotes/k/P1', offset: 1 });
    expect(await client.next('quotes')).toMatchObject({ key: 'P1', payload: 7, offset: 1 });
    for (const members of [{}, { key: 5 }, { user_id: 'ann' }, { key: 'a\u0000b' }, { key: 'x'.repeat(129) }])
      expect(await publish({ topic: 'quotes', payload: 1, ...members })).toMatchObject({ status: 400 });
    await client.close();
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readTopic, waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  // The router is a node of its own, so every delivery crosses from one process to another.
  cluster = await GatewayCluster.open({ nodes: [{ role: 'edge' }, { role: 'edge' }, { role: 'router' }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const payloads = (client: WsClient) =>
  client.frames.filter(({ rid, stream }) => rid === -1 && stream).map(({ payload }) => payload);

describe('a record on its way from Kafka to sockets on other nodes', () => {
  it('reaches every device of its user, on whichever node, and nobody else', async () => {
    const [phone, desk, other] = await Promise.all([
      cluster.connect(0, 'ann', 'notifications'),
      cluster.connect(1, 'ann', 'notifications'),
      cluster.connect(1, 'bob', 'notifications'),
    ]);
    await cluster.produce('notifications', record('ann', { title: 'hello' }), record('bob', { title: 'for bob' }));
    const frame = await phone.next('notifications');
    expect(frame).toMatchObject({
      rid: -1,
      event: 'notifications',
      status: 'update',
      topic: 'notifications',
      type: 'notification',
      user_id: 'ann',
      payload: { title: 'hello' },
      stream: 'notifications/u/ann',
      offset: 1,
    });
    expect(frame['id']).toMatch(new RegExp(`^${cluster.kafkaTopic('notifications')}:\\d+:\\d+$`));
    expect(new Date(frame['timestamp'] as string).getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(await desk.next('notifications')).toEqual(frame);
    // Bob's own record is the barrier: what came before it on his socket is all there was.
    expect(await other.next('notifications')).toMatchObject({ payload: { title: 'for bob' } });
    expect(payloads(other)).toEqual([{ title: 'for bob' }]);
    for (const client of [phone, desk, other]) await client.close();
  });

  it('hands the payload over byte for byte', async () => {
    const client = await cluster.connect(0, 'cleo', 'notifications');
    const payload = '{ "big":12345678901234567890, "exp" : 1.0e+2,"ü":"\\u00e9", "z":[ ],"a":{"payload":1} }';
    await cluster.produce('notifications', {
      key: 'cleo',
      value: `{"user_id":"cleo","payload":${payload},"type":"x"}`,
    });
    await client.next('notifications');
    expect(client.texts.at(-1)).toContain(`,"payload":${payload},"stream":`);
    await client.close();
  });

  it('keeps the order of a user over thousands of records, none missing, none twice', async () => {
    const clients = await Promise.all([
      cluster.connect(0, 'dan', 'notifications'),
      cluster.connect(1, 'dan', 'notifications'),
    ]);
    const count = 3000;
    await cluster.produce('notifications', ...Array.from({ length: count }, (_, at) => record('dan', at)));
    for (const client of clients) {
      await client.next(({ payload }) => payload === count - 1, 20_000);
      expect(payloads(client)).toEqual(Array.from({ length: count }, (_, at) => at));
      const offsets = client.frames.filter(({ stream }) => stream).map(({ offset }) => offset);
      expect(offsets).toEqual(Array.from({ length: count }, (_, at) => at + 1));
      await client.close();
    }
  });

  it('delivers everything that is written after connected was received', async () => {
    for (let round = 0; round < 30; round++) {
      const user = `late-${round}`;
      const client = await cluster.connect(round % 2, user, 'notifications');
      await cluster.produce('notifications', record(user, round));
      expect(await client.next('notifications')).toMatchObject({ payload: round, offset: 1 });
      client.terminate();
    }
  });

  it('follows the audience headers, and lets headers win over members', async () => {
    const [ann, bob, guestOfTopic] = await Promise.all([
      cluster.connect(0, 'ann2', 'notifications'),
      cluster.connect(1, 'bob2', 'notifications'),
      cluster.connect(1, 'eve2', 'balance-updates'),
    ]);
    const send = (audience: string, payload: string, headers = {}) =>
      cluster.produce('notifications', {
        key: 'k',
        value: { user_id: 'nobody', payload },
        headers: { 'ws-audience': audience, ...headers },
      });
    await send('users:ann2,bob2', 'both', { 'ws-id': 'n-1', 'ws-type': 'greeting' });
    await send('topic', 'public');
    await send('all', 'everyone');
    for (const client of [ann, bob]) {
      expect(await client.next('notifications')).toMatchObject({ payload: 'both', id: 'n-1', type: 'greeting' });
      expect(await client.next('notifications')).toMatchObject({ payload: 'public', stream: 'notifications/*' });
      const everyone = await client.next('notifications');
      expect(everyone).toMatchObject({ payload: 'everyone' });
      expect(everyone).not.toHaveProperty('stream');
    }
    expect(await guestOfTopic.next()).toMatchObject({ payload: 'everyone' });
    for (const client of [ann, bob, guestOfTopic]) await client.close();
  });

  // There are more sockets than the 256 that are served in one turn of the event loop.
  it('gives all subscribers of a topic everything in order and once, also who joins while it comes', async () => {
    const subscribers = await Promise.all(
      Array.from({ length: 600 }, (_, at) => cluster.connect(0, `subscribers-${at}`, 'notifications')),
    );
    const count = 200;
    const half = count / 2;
    const publish = (from: number, end: number) =>
      cluster.produce(
        'notifications',
        ...Array.from({ length: end - from }, (_, at) => ({
          key: 'subscribers',
          value: { payload: from + at },
          headers: { 'ws-audience': 'topic' },
        })),
      );
    const first = publish(0, half);
    const late = await Promise.all(
      Array.from({ length: 10 }, (_, at) => cluster.connect(0, `late-${at}`, 'notifications')),
    );
    await first;
    await publish(half, count);
    for (const client of [...subscribers, ...late]) await client.next(({ payload }) => payload === count - 1, 20_000);

    const all = Array.from({ length: count }, (_, at) => at);
    expect(subscribers.filter((client) => payloads(client).join() !== all.join())).toHaveLength(0);
    const isTail = (got: unknown[]): boolean =>
      got.length >= half && got.join() === all.slice(count - got.length).join();
    expect(late.filter((client) => !isTail(payloads(client)))).toHaveLength(0);
    for (const client of [...subscribers, ...late]) client.terminate();
  });

  it('takes the newest balance to a client that comes later', async () => {
    await cluster.produce('balance-updates', record('fay', { balance: 1 }), record('fay', { balance: 2 }));
    const live = await cluster.connect(0, 'fay', 'balance-updates');
    await waitFor(() => live.frames.some(({ payload }) => (payload as { balance?: number }).balance === 2), {
      what: 'the balance',
    });
    const client = await cluster.connect(1, 'fay', 'balance-updates');
    expect(await client.next('balance-updates')).toMatchObject({
      payload: { balance: 2 },
      type: 'balance_update',
      offset: 2,
    });
    await live.close();
    await client.close();
  });

  it('puts what cannot be used into the dead letter topic, and goes on', async () => {
    const client = await cluster.connect(0, 'gus', 'notifications');
    // Headers without a value are legal in Kafka, though not in kafkajs' types.
    const headers = { trace: 'abc', none: null, twice: ['x', null] } as unknown as Record<string, string>;
    await cluster.produce(
      'notifications',
      { key: 'gus', value: '{broken', headers, partition: 0 },
      { key: 'gus', value: null, partition: 0 },
      { key: 'gus', value: { payload: 'for nobody' }, partition: 0 },
      { ...record('gus', 'after'), partition: 0 },
    );
    expect(await client.next('notifications')).toMatchObject({ payload: 'after' });
    const letters = await waitFor(async () => {
      const found = (await readTopic(cluster.deadLetterTopic)).filter(({ key }) => key === 'gus');
      return found.length === 3 && found;
    });
    expect(letters.map(({ headers }) => headers['dlq-error'])).toEqual(['not_json', 'empty', 'no_audience']);
    expect(letters[0]).toMatchObject({
      value: '{broken',
      headers: {
        trace: 'abc',
        none: 'null',
        twice: 'x,',
        'dlq-topic': cluster.kafkaTopic('notifications'),
        'dlq-partition': '0',
      },
    });
    expect(letters[1]!.value).toBeNull();
    expect(payloads(client)).toEqual(['after']);
    await client.close();
  });

  it('blocks a user everywhere within a second, refuses the next handshake, and lets the user back in', async () => {
    const [phone, desk, other] = await Promise.all([
      cluster.connect(0, 'hal', 'user-blocks'),
      cluster.connect(1, 'hal', 'notifications'),
      cluster.connect(1, 'ida', 'user-blocks'),
    ]);
    const began = Date.now();
    await cluster.produce('user-blocks', record('hal', { blocked: true, reason: 'fraud' }));
    expect(await phone.next('user-blocks')).toMatchObject({
      type: 'user_block',
      payload: { blocked: true, reason: 'fraud' },
    });
    expect(await phone.closed).toEqual({ code: 4500, reason: 'fraud' });
    expect(await desk.closed).toEqual({ code: 4500, reason: 'fraud' });
    expect(Date.now() - began).toBeLessThan(15_000);
    for (const node of [0, 1]) {
      const refused = await WsClient.refused(cluster.url(node, `token=${token('hal')}`));
      expect(refused).toMatchObject({
        status: 403,
        body: { error: { code: 'user_blocked', reason: 'fraud', expires_at: null } },
      });
    }
    expect(other.isOpen).toBe(true);
    await cluster.produce('user-blocks', record('hal', { blocked: false }));
    await waitFor(async () => (await cluster.connect(0, 'hal', '')).close(), { what: 'the user to get in again' });
    await other.close();
  });

  it('ends a block at its expiry', async () => {
    const expires = new Date(Date.now() + 2500).toISOString();
    const client = await cluster.connect(0, 'jim', '');
    await cluster.produce('user-blocks', record('jim', { blocked: true, expires_at: expires }));
    expect((await client.closed).code).toBe(4500);
    const refused = await WsClient.refused(cluster.url(1, `token=${token('jim')}`));
    expect(refused.body).toMatchObject({ error: { code: 'user_blocked', expires_at: expires } });
    await waitFor(async () => (await cluster.connect(1, 'jim', '')).close(), { what: 'the block to expire' });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expires));
  });
});

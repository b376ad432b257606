import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayCluster, record, token } from './gateway-cluster.js';
import { waitFor, WsClient } from '@ws-gateway/testkit';

let cluster: GatewayCluster;

beforeAll(async () => {
  cluster = await GatewayCluster.open({
    nodes: [{ config: { limits: { badRequests: 5, requestsPerSecond: 30, maxPayloadBytes: 2048 } } }],
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

describe('requests of a client', () => {
  it('are answered once each, under their own rid', async () => {
    const client = await cluster.connect(0, 'ann', '');
    expect(await client.request('ping')).toEqual({
      rid: 1,
      event: 'ping',
      status: 'ok',
      payload: { time: expect.any(String) },
    });
    await client.close();
  });

  it('subscribe and unsubscribe while records flow', async () => {
    const client = await cluster.connect(0, 'bob', '');
    const answer = await client.request('subscribe', { topics: ['notifications'] });
    expect(answer).toMatchObject({
      status: 'ok',
      payload: {
        topics: [
          { topic: 'notifications', stream: 'notifications/u/bob', offset: 0, public: { stream: 'notifications/*' } },
        ],
      },
    });
    await cluster.produce('notifications', record('bob', 1));
    expect(await client.next('notifications')).toMatchObject({ payload: 1 });
    expect(await client.request('unsubscribe', { topics: ['notifications'] })).toMatchObject({ status: 'ok' });
    await cluster.produce('notifications', record('bob', 2));
    // If she subscribed before the record is in the stream, it would come live as well.
    const { epoch } = await waitFor(async () => {
      const { payload } = await client.request('history', { topic: 'notifications', limit: 10 });
      const page = payload as { epoch: string; offset: number };
      return page.offset === 2 && page;
    });
    const resumed = await client.request('subscribe', { topics: [{ topic: 'notifications', epoch, offset: 1 }] });
    expect(resumed).toMatchObject({ payload: { topics: [{ recovered: true, replayed: 1, offset: 2 }] } });
    expect(await client.next('notifications')).toMatchObject({ payload: 2, offset: 2 });
    expect(client.frames.filter(({ payload: value }) => value === 2)).toHaveLength(1);
    await client.close();
  });

  it('that cannot be read are answered, and the socket stays open until there are too many', async () => {
    const client = await cluster.connect(0, 'cleo', '');
    const answers: unknown[] = [];
    for (const bad of ['{', '[]', '{"command":"ping"}', '{"rid":7,"command":"nope"}']) {
      client.send(bad);
      answers.push(await client.next());
    }
    expect(answers).toMatchObject([
      { rid: -1, event: 'error', status: 'error', payload: { code: 'bad_request' } },
      { rid: -1, event: 'error', status: 'error', payload: { code: 'bad_request' } },
      { rid: -1, event: 'error', status: 'error', payload: { code: 'bad_request' } },
      { rid: 7, event: 'nope', status: 'error', payload: { code: 'unknown_command' } },
    ]);
    client.send('{');
    expect((await client.closed).code).toBe(4502);
  });

  it.each([
    ['subscribe', { topics: ['nope'] }, 'forbidden', 'unknown_topic'],
    ['subscribe', {}, 'error', 'bad_request'],
    ['subscribe', { topics: [{ topic: 'notifications', epoch: 'e', offset: -1 }] }, 'error', 'bad_request'],
    ['subscription', { ids: ['x'], action: 'subscribe' }, 'error', 'bad_request'],
    ['constructor', {}, 'error', 'unknown_command'],
    ['__proto__', {}, 'error', 'unknown_command'],
  ])('%s %j is refused by name', async (command, options, status, code) => {
    const client = await cluster.connect(0, 'dan', '');
    expect(await client.request(command, options)).toMatchObject({ event: command, status, payload: { code } });
    await client.close();
  });

  it('at too high a rate are refused one by one, and a flood is closed', async () => {
    const client = await cluster.connect(0, 'eve', '');
    for (let rid = 1; rid <= 31; rid++) client.send({ rid, command: 'ping' });
    expect(await client.next(({ rid }) => rid === 31)).toMatchObject({
      status: 'error',
      payload: { code: 'rate_limited' },
    });
    // Ten times the limit in one of its windows, also where one ends in the middle of these.
    for (let rid = 32; rid <= 2000; rid++) client.send({ rid, command: 'ping' });
    expect((await client.closed).code).toBe(4503);
  });

  it('closes binary frames with 1003 and too large ones with 1009', async () => {
    const binary = await cluster.connect(0, 'fay', '');
    binary.send(new Uint8Array([1, 2, 3]));
    expect((await binary.closed).code).toBe(1003);
    const large = await cluster.connect(0, 'fay', '');
    large.send('x'.repeat(2049));
    expect((await large.closed).code).toBe(1009);
  });

  it('refuses a topic that the token does not list', async () => {
    const client = await WsClient.open(cluster.url(0, `token=${token('gus', { topics: ['wss'] })}`));
    expect(await client.request('subscribe', { topics: ['notifications'] })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'topic_forbidden' },
    });
    await client.close();
  });
});

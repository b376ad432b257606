import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { GatewayProcess } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin-client.js';
import { GatewayCluster, record } from '../gateway-cluster.js';

let cluster: GatewayCluster;
let router: GatewayProcess;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN }, hubs: [{ name: 'main' }] };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'edge', config },
      { role: 'router', config },
    ],
  });
  router = cluster.nodes[2]!;
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const publish = (body: unknown) => call(router, 'POST /api/publish', { body });

describe('POST /api/publish', () => {
  it('delivers as a record would: one history, one frame, the payload byte for byte', async () => {
    const client = await cluster.connect(0, 'ann', 'notifications');
    await cluster.produce('notifications', record('ann', 1));
    const first = await client.next('notifications');
    const payload = '{ "big":12345678901234567890, "exp" : 1.0e+2,"ü":"\\u00e9", "z":[ ],"a":{"payload":1} }';
    const { body } = await publish(`{"topic":"notifications","payload":${payload},"user_id":"ann"}`);
    expect(body).toEqual({ id: expect.any(String), routed: 1, stream: 'notifications/u/ann', offset: 2 });
    const second = await client.next('notifications');
    expect(client.texts.at(-1)).toContain(`,"payload":${payload},"stream":`);
    expect(Object.keys(second)).toEqual(Object.keys(first));
    expect(second).toMatchObject({
      id: body['id'],
      type: 'notification',
      user_id: 'ann',
      epoch: first['epoch'],
      offset: 2,
    });
    await client.close();
  });

  it('reaches users, rooms, hubs and everybody, on all nodes', async () => {
    const [ann, bob] = [
      await cluster.connect(0, 'bea', 'notifications'),
      await cluster.connect(1, 'bob', 'notifications'),
    ];
    for (const client of [ann, bob]) await client.request('enter', { room: 'r1' });
    const send = async (members: object) => (await publish({ topic: 'notifications', ...members })).body;
    expect(await send({ users: ['bea', 'bob'], payload: 'both', id: 'n-1' })).toEqual({ id: 'n-1', routed: 2 });
    expect(await send({ room: 'r1', payload: 'room' })).toEqual({ id: expect.any(String), routed: 2 });
    expect(await send({ broadcast: true, payload: 'all' })).toEqual({
      id: expect.any(String),
      routed: expect.any(Number),
    });
    expect(await send({ hub: 'main', payload: 'hub' })).toEqual({ id: expect.any(String), routed: 0 });
    expect(await send({ user_id: 'nobody', payload: 0 })).toMatchObject({ routed: 0, offset: 1 });
    for (const client of [ann, bob]) {
      expect(await client.next('notifications')).toMatchObject({ payload: 'both', id: 'n-1' });
      expect(await client.next('notifications')).toMatchObject({ payload: 'room' });
      expect(await client.next('notifications')).toMatchObject({ payload: 'all' });
      await client.close();
    }
  });

  it('blocks through the topic that blocks', async () => {
    const client = await cluster.connect(1, 'cleo', '');
    await publish({ topic: 'user-blocks', user_id: 'cleo', payload: { blocked: true, reason: 'x' } });
    expect(await client.closed).toEqual({ code: 4500, reason: 'x' });
  });

  it.each([
    ['{', 'bad_request', undefined],
    ['[]', 'bad_request', undefined],
    [{ payload: 1, user_id: 'u' }, 'bad_request', undefined],
    [{ topic: 'nope', payload: 1, user_id: 'u' }, 'unknown_topic', undefined],
    [{ topic: 'notifications', user_id: 'u' }, 'bad_request', 'no_payload'],
    [{ topic: 'notifications', payload: 1 }, 'bad_request', 'no_audience'],
    [{ topic: 'notifications', payload: 1, user_id: 7 }, 'bad_request', 'bad_member'],
    [{ topic: 'notifications', payload: 1, room: 'a b' }, 'bad_request', 'bad_audience'],
    [{ topic: 'notifications', payload: 1, user_id: 'u', id: 7 }, 'bad_request', 'bad_member'],
    [{ topic: 'user-blocks', payload: {}, user_id: 'u' }, 'bad_request', 'bad_member'],
  ])('refuses %j and says why', async (body, code, reason) => {
    const refused = await publish(body);
    expect(refused.status).toBe(400);
    expect(refused.body['error']).toMatchObject(reason === undefined ? { code } : { code, reason });
  });

  it('refuses a message that is too large', async () => {
    const refused = await publish({ topic: 'notifications', user_id: 'u', payload: 'x'.repeat(256 * 1024) });
    expect(refused).toMatchObject({ status: 413, body: { error: { code: 'body_too_large' } } });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TcpProxy, testRedisUrl, waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
/** Proxy between the first node and Redis. */
let toRedis: TcpProxy;

beforeAll(async () => {
  toRedis = await TcpProxy.start({ port: Number(new URL(testRedisUrl()).port) });
  const config = {
    hubs: [{ name: 'main' }, { name: 'side' }],
    rooms: { history: { size: 10, ttl: '1m' } },
  };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config: { ...config, redis: { addr: `127.0.0.1:${toRedis.port}` } } },
      { role: 'edge', config },
      { role: 'router', config },
    ],
  });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  await toRedis?.stop();
}, 60_000);

async function join(node: number, hub: string, user: string): Promise<WsClient> {
  const client = await WsClient.open(`${cluster.nodes[node]!.wsUrl}/websocket/${hub}`, {
    headers: { authorization: `Bearer ${token(user)}` },
  });
  await client.next('connected');
  return client;
}

describe('a hub', () => {
  it('is refused by name when there is none', async () => {
    const refused = await WsClient.refused(`${cluster.nodes[0]!.wsUrl}/websocket/nope?token=${token('a')}`);
    expect(refused).toMatchObject({ status: 404, body: { error: { code: 'unknown_hub' } } });
    const plain = await fetch(`${cluster.nodes[0]!.httpUrl}/websocket/nope`);
    expect([plain.status, await plain.json()]).toMatchObject([404, { error: { code: 'unknown_hub' } }]);
  });

  it('carries messages to all its members on all nodes, but not back to the sender or into another hub', async () => {
    const [ann, ann2, bob, side] = await Promise.all([
      join(0, 'main', 'ann'),
      join(1, 'main', 'ann'),
      join(1, 'main', 'bob'),
      join(1, 'side', 'sid'),
    ]);
    expect(await ann.request('send', { to: { hub: 'main' }, payload: { text: 'hello', n: 1.5 } })).toMatchObject({
      status: 'ok',
      payload: { routed: 2 },
    });
    const frame = {
      rid: -1,
      event: 'hub',
      status: 'update',
      from: 'ann',
      hub: 'main',
      payload: { text: 'hello', n: 1.5 },
    };
    expect(await ann2.next('hub')).toEqual(frame);
    expect(await bob.next('hub')).toEqual(frame);
    // Bob's answer is the barrier: on Ann's socket nothing of her own lies before it.
    await bob.request('send', { to: { hub: 'main' }, payload: 'barrier' });
    expect(await ann.next('hub')).toMatchObject({ from: 'bob', payload: 'barrier' });
    await side.request('send', { to: { hub: 'side' }, payload: 'own' });
    expect(side.frames.filter(({ event }) => event === 'hub')).toEqual([]);
    expect(await side.request('send', { to: { hub: 'main' }, payload: 1 })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'unknown_hub' },
    });
    for (const client of [ann, ann2, bob, side]) await client.close();
  });

  it('carries messages to one user and says when nobody is there', async () => {
    const [ann, bob] = await Promise.all([join(0, 'main', 'ann'), join(1, 'main', 'bob')]);
    expect(await ann.request('send', { to: { user: 'bob' }, payload: 'psst' })).toMatchObject({
      payload: { routed: 1 },
    });
    expect(await bob.next('user')).toEqual({ rid: -1, event: 'user', status: 'update', from: 'ann', payload: 'psst' });
    expect(await ann.request('send', { to: { user: 'nobody' }, payload: 'x' })).toMatchObject({
      payload: { routed: 0 },
    });
    expect(await ann.request('send', { to: { user: 'a', room: 'b' }, payload: 'x' })).toMatchObject({
      payload: { code: 'bad_request' },
    });
    expect(await ann.request('send', { to: { user: 'bob' } })).toMatchObject({ payload: { code: 'bad_request' } });
    await ann.close();
    await bob.close();
  });
});

describe('a room within a hub', () => {
  it('gives what was for all who come back, and does not claim that this was everything', async () => {
    const ann = await join(0, 'main', 'ann');
    const { payload } = await ann.request('enter', { room: 'lobby' });
    await ann.request('leave', { room: 'lobby' });
    await cluster.produce('notifications', { value: { room: 'lobby', payload: 'for all' } });
    const { epoch } = payload as { epoch: string };
    // There is something to come back to only when the message is in the room's history.
    await waitFor(async () => {
      const page = await ann.request('history', { room: 'lobby', limit: 5 });
      return (page['payload'] as { offset: number }).offset === 1;
    });
    // What was said within the hub meanwhile is not kept.
    expect(await ann.request('enter', { room: 'lobby', epoch, offset: 0 })).toMatchObject({
      payload: { stream: 'room/lobby', offset: 1, recovered: false, replayed: 1 },
    });
    expect(await ann.next('notifications')).toMatchObject({ payload: 'for all' });
    await ann.close();
  });
});

describe('rooms', () => {
  it('are entered and left by command or by a bare frame', async () => {
    const [ann, bob] = await Promise.all([cluster.connect(0, 'ann', ''), cluster.connect(1, 'bob', '')]);
    expect(await ann.request('enter', { room: 'orders' })).toMatchObject({
      status: 'ok',
      payload: { room: 'orders', stream: 'room/orders', offset: 0 },
    });
    bob.send({ action: 'enter', room: 'orders' });
    // The next answer is the barrier: the bare frame got none, and was done before.
    await bob.request('ping');
    await cluster.produce('notifications', { value: { room: 'orders', payload: 1 } });
    for (const client of [ann, bob])
      expect(await client.next('notifications')).toMatchObject({ payload: 1, stream: 'room/orders', offset: 1 });
    await ann.request('leave', { room: 'orders' });
    await cluster.produce('notifications', { value: { room: 'orders', payload: 2 } });
    expect(await bob.next('notifications')).toMatchObject({ payload: 2 });
    const { payload } = await ann.request('history', { room: 'orders', limit: 5 });
    expect(payload).toMatchObject({ offset: 2, messages: [{ payload: 1 }, { payload: 2 }] });
    const { epoch } = payload as { epoch: string };
    expect(await ann.request('enter', { room: 'orders', epoch, offset: 1 })).toMatchObject({
      payload: { recovered: true, replayed: 1 },
    });
    expect(await ann.next('notifications')).toMatchObject({ payload: 2, offset: 2 });
    bob.send({ action: 'enter', room: 'no room' });
    expect(await bob.next('error')).toMatchObject({ rid: -1, payload: { code: 'bad_request' } });
    await ann.close();
    await bob.close();
  });

  it('are entered by the bare frame before anything asked for after it is answered, however far Redis is', async () => {
    const [ann, bob] = await Promise.all([join(0, 'main', 'ann'), join(1, 'main', 'bob')]);
    await bob.request('enter', { room: 'far' });
    toRedis.delayMs = 100;
    ann.send({ action: 'enter', room: 'far' });
    await ann.request('ping');
    expect(await bob.request('send', { to: { room: 'far' }, payload: 'from near' })).toMatchObject({ status: 'ok' });
    expect(await ann.next('room')).toMatchObject({ payload: 'from near' });
    toRedis.delayMs = 0;
    await ann.close();
    await bob.close();
  });

  it('may be limited by the token', async () => {
    const client = await WsClient.open(cluster.url(0, `token=${token('cleo', { rooms: ['a'] })}`));
    expect(await client.request('enter', { room: 'b' })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'room_forbidden' },
    });
    expect(await client.request('enter', { room: 'a' })).toMatchObject({ status: 'ok' });
    await client.close();
  });
});

describe('authentication by command', () => {
  it('makes a guest a user, a user a guest, and keeps everything for the same user', async () => {
    const client = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/web`);
    expect(await client.next('connected')).toMatchObject({ payload: { user: null } });
    expect(await client.request('subscribe', { topics: ['notifications'] })).toMatchObject({
      payload: { code: 'topic_forbidden' },
    });
    expect(await client.request('authentication', { authToken: token('ann') })).toMatchObject({
      status: 'ok',
      payload: { user: 'ann' },
    });
    expect(await client.request('subscribe', { topics: ['notifications'] })).toMatchObject({ status: 'ok' });
    expect(await client.request('authentication', { authToken: token('ann', { n: 2 }), update: true })).toMatchObject({
      status: 'ok',
    });
    await cluster.produce('notifications', { value: { user_id: 'ann', payload: 'still here' } });
    expect(await client.next('notifications')).toMatchObject({ payload: 'still here' });
    expect(await client.request('authentication', { authToken: token('bob'), update: true })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'user_mismatch' },
    });
    expect(await client.request('presence', { user: 'ann' })).toMatchObject({
      payload: { connections: [{ endpoint: '/web' }] },
    });
    expect(await client.request('authentication', {})).toMatchObject({ status: 'ok', payload: { user: null } });
    expect(await client.request('presence', { user: 'ann' })).toMatchObject({ status: 'forbidden' });
    await client.close();
  });
});

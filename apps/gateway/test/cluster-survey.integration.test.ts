import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin/admin-client.js';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let backend: Server;

beforeAll(async () => {
  backend = createServer((_, response) => response.setHeader('content-type', 'application/json').end('{}'));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  const config = {
    admin: { token: ADMIN_TOKEN },
    hubs: [{ name: 'main' }],
    backends: { http: { notification: { url: `http://127.0.0.1:${port}/` } } },
  };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'edge', config },
      { role: 'edge', config },
    ],
  });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  backend.close();
}, 60_000);

async function open(node: number, path: string, claims: object): Promise<WsClient> {
  const { sub, ...others } = claims as { sub: string };
  const client = await WsClient.open(`${cluster.nodes[node]!.wsUrl}${path}?token=${token(sub, others)}`);
  await client.next('connected');
  return client;
}

describe('the command presence, asked about a room', () => {
  it('counts who is in it, on all nodes and through whichever endpoint', async () => {
    const ann = await open(0, '/ws', { sub: 'ann' });
    const phone = await open(1, '/ws', { sub: 'ann' });
    const bob = await open(1, '/websocket/main', { sub: 'bob' });
    const outside = await open(1, '/ws', { sub: 'eve' });
    for (const client of [ann, phone, bob]) await client.request('enter', { room: 'r1' });
    await outside.request('enter', { room: 'r2' });
    for (const client of [ann, bob]) {
      expect(await client.request('presence', { room: 'r1' })).toMatchObject({
        status: 'ok',
        payload: { users: ['ann', 'bob'], connections: 3 },
      });
    }
    await phone.request('leave', { room: 'r1' });
    await bob.request('leave', { room: 'r1' });
    const { payload } = await ann.request('presence', { room: 'r1' });
    expect(payload).toEqual({ users: ['ann'], connections: 1 });
    for (const client of [ann, phone, bob, outside]) await client.close();
  });

  it('answers those inside and those with the claim presence, and nobody else', async () => {
    const outside = await open(0, '/ws', { sub: 'eve' });
    const refused = await outside.request('presence', { room: 'r3' });
    expect(refused).toMatchObject({ status: 'forbidden', payload: { code: 'not_allowed' } });
    const operator = await open(0, '/ws', { sub: 'op', presence: true });
    // Nobody is there, so no node is asked.
    expect((await operator.request('presence', { room: 'r3' })).payload).toEqual({ users: [], connections: 0 });
    for (const bad of [{}, { room: 'a b' }, { room: 'r3', user: 'op' }]) {
      expect((await operator.request('presence', bad)).payload).toMatchObject({ code: 'bad_request' });
    }
    for (const client of [outside, operator]) await client.close();
  });
});

describe('GET /api/subscriptions', () => {
  it('counts the connections of each subscription id over the cluster, and says when a node does not answer', async () => {
    const options = { params: { limit: 1, skip: 0, sort: 'x' }, where: { types: ['offer'] } };
    const clients = [
      await cluster.connect(0, 'ann', ''),
      await cluster.connect(1, 'ann', ''),
      await cluster.connect(1, 'bob', ''),
    ];
    const ids: string[] = [];
    for (const client of clients) ids.push((await client.request('getMyNotifications', options))['event'] as string);
    const rows = [
      { id: ids[0], connections: 2 },
      { id: ids[2], connections: 1 },
    ].sort((a, b) => (a.id! < b.id! ? -1 : 1));
    expect((await call(cluster.nodes[2]!, 'GET /api/subscriptions')).body).toEqual({ subscriptions: rows });

    // The node is dead, but its lease has not run out.
    await cluster.nodes[1]!.kill();
    const began = Date.now();
    const { body } = await call(cluster.nodes[2]!, 'GET /api/subscriptions');
    expect(body).toEqual({ subscriptions: [{ id: ids[0], connections: 1 }], incomplete: true });
    expect(Date.now() - began).toBeLessThan(10_000);
    await clients[0]!.close();
  });
});

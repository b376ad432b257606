import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, WsClient } from '@ws-gateway/testkit';
import { notify as call } from './grpc-client.js';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let port: number;
let hubPort: number;

beforeAll(async () => {
  port = await freePort();
  hubPort = await freePort();
  const hubs = [{ name: 'main', grpcPort: hubPort }];
  cluster = await GatewayCluster.open({
    nodes: [{ config: { grpc: { enabled: true, port }, hubs } }, { role: 'edge', config: { hubs } }],
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

describe('gRPC on one node', () => {
  it('reaches sockets on all nodes: everybody, a room, one user', async () => {
    const [ann, bob] = await Promise.all([cluster.connect(0, 'ann', ''), cluster.connect(1, 'bob', '')]);
    await bob.request('enter', { room: 'orders' });
    await call(port, 'Broadcast', { type: 'TYPE_INFO', entityId: 'order-123' });
    for (const client of [ann, bob]) {
      expect(await client.next('broadcast')).toMatchObject({
        rid: -1,
        status: 'update',
        type: 'info',
        entityId: 'order-123',
      });
    }
    await call(port, 'NotifyRoom', { type: 'TYPE_ERROR', entityId: 'e', room: 'orders' });
    expect(await bob.next('room')).toMatchObject({ type: 'error', room: 'orders' });
    await call(port, 'PrivateNotify', { type: 'TYPE_SUCCESS', entityId: 'e', userId: 'ann' });
    expect(await ann.next('private')).toMatchObject({ type: 'success' });
    expect(ann.frames.map(({ event }) => event)).toEqual(['connected', 'broadcast', 'private']);
    await ann.close();
    await bob.close();
  });

  it('keeps to the hub on the port of a hub', async () => {
    const url = `${cluster.nodes[1]!.wsUrl}/websocket/main?token=`;
    const [member, outsider] = await Promise.all([WsClient.open(url + token('ann')), cluster.connect(1, 'ann', '')]);
    await member.next('connected');
    await call(hubPort, 'Broadcast', { type: 'TYPE_INFO', entityId: '1' });
    await call(hubPort, 'PrivateNotify', { type: 'TYPE_INFO', entityId: '2', userId: 'ann' });
    expect(await member.next('broadcast')).toMatchObject({ entityId: '1' });
    expect(await member.next('private')).toMatchObject({ entityId: '2' });
    // The general port's call is the barrier.
    await call(port, 'Broadcast', { type: 'TYPE_INFO', entityId: '3' });
    expect(await outsider.next('broadcast')).toMatchObject({ entityId: '3' });
    expect(outsider.frames).toHaveLength(2);
    await member.close();
    await outsider.close();
  });

  it('refuses an empty room by name', async () => {
    await expect(call(port, 'NotifyRoom', { entityId: 'e', room: '' })).rejects.toMatchObject({ code: 3 });
  });
});

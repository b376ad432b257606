import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { run } from '../cli/running.js';
import { exampleFile, NO_KAFKA, oneCluster, startExample, stopAll, token } from './example.js';
import { Notifier } from './notifier.js';

/** The rooms-grpc example: back-end services notify by gRPC; browsers enter and leave rooms over /ws?t=<token>. */
let nodes: GatewayProcess[] = [];
let notifier: Notifier;

beforeAll(async () => {
  const cluster = oneCluster();
  const ports = [await freePort(), await freePort()];
  const start = (grpcPort: number): Promise<GatewayProcess> =>
    startExample('rooms-grpc', { ...cluster, ...NO_KAFKA, GRPC_PORT: String(grpcPort) });
  nodes = await Promise.all(ports.map(start));
  notifier = new Notifier(ports[0]!);
}, 90_000);
afterAll(async () => {
  notifier?.close();
  await stopAll(...nodes);
}, 60_000);

async function connect(at: number, user: string, query = 't'): Promise<WsClient> {
  const client = await WsClient.open(`${nodes[at]!.wsUrl}/ws?${query}=${token(user)}`);
  await client.next('connected');
  return client;
}

/** Bare frames get no answer: what is asked for after them is answered when they are done. */
async function act(client: WsClient, action: 'enter' | 'leave', room: string): Promise<void> {
  client.send({ action, room });
  await client.request('ping');
}

const order = { type: 'TYPE_INFO', entityId: 'order-123' };
const eventsOf = (client: WsClient) => client.frames.filter(({ rid }) => rid === -1).map(({ event }) => event);

describe('the rooms-grpc example', () => {
  it('has the defaults of the system it replaces', async () => {
    const { stdout } = await run(['config', 'print', '--json', '-c', exampleFile('rooms-grpc')]);
    expect(JSON.parse(stdout)).toMatchObject({
      server: { port: 3003 },
      grpc: { enabled: true, port: 9003 },
      auth: { queryParams: ['t'] },
      hubs: [],
    });
  });

  it('broadcasts to every connected client', async () => {
    const clients = await Promise.all([connect(0, 'ann'), connect(1, 'bob'), connect(1, 'bob')]);
    await notifier.call('Broadcast', 'Your order has shipped!', order);
    for (const client of clients) {
      expect(await client.next('broadcast')).toEqual({
        rid: -1,
        event: 'broadcast',
        status: 'update',
        type: 'info',
        entityId: 'order-123',
        payload: { '@type': 'type.googleapis.com/google.protobuf.StringValue', value: 'Your order has shipped!' },
      });
      await client.close();
    }
  });

  it('notifies those in a room, from when they enter to when they leave', async () => {
    const [ann, bob] = await Promise.all([connect(0, 'ann'), connect(1, 'bob')]);
    await act(ann, 'enter', 'order-updates');
    await act(bob, 'enter', 'order-updates');
    await notifier.call('NotifyRoom', 'first', { type: 'TYPE_WARNING', entityId: '1', room: 'order-updates' });
    for (const client of [ann, bob]) {
      expect(await client.next('room')).toMatchObject({
        type: 'warning',
        room: 'order-updates',
        payload: { value: 'first' },
      });
    }
    await act(bob, 'leave', 'order-updates');
    await notifier.call('NotifyRoom', 'second', { type: 'TYPE_SUCCESS', entityId: '2', room: 'order-updates' });
    await notifier.call('NotifyRoom', 'elsewhere', { type: 'TYPE_SUCCESS', entityId: '3', room: 'other' });
    await notifier.call('Broadcast', 'barrier', order);
    expect(await ann.next('room')).toMatchObject({ type: 'success', payload: { value: 'second' } });
    for (const client of [ann, bob]) await client.next('broadcast');
    expect(eventsOf(ann)).toEqual(['connected', 'room', 'room', 'broadcast']);
    expect(eventsOf(bob)).toEqual(['connected', 'room', 'broadcast']);
    await ann.close();
    await bob.close();
  });

  it('notifies a single user by id, who need not be in any room', async () => {
    const [ann, bob] = await Promise.all([connect(1, 'ann'), connect(1, 'bob')]);
    await notifier.call('PrivateNotify', 'for ann', { type: 'TYPE_ERROR', entityId: '4', userId: 'ann' });
    await notifier.call('Broadcast', 'barrier', order);
    expect(await ann.next('private')).toMatchObject({ type: 'error', entityId: '4', payload: { value: 'for ann' } });
    for (const client of [ann, bob]) await client.next('broadcast');
    expect(eventsOf(bob)).toEqual(['connected', 'broadcast']);
    await ann.close();
    await bob.close();
  });

  it('accepts real tokens only', async () => {
    for (const query of ['', '?t=', '?t=anything', `?token=${token('ann')}`]) {
      expect(await WsClient.refused(`${nodes[0]!.wsUrl}/ws${query}`)).toMatchObject({ status: 401 });
    }
  });
});

describe('the rooms-grpc example on one node', () => {
  it('needs no server beside it, reads its token where TOKEN_KEY says, and stops in order', async () => {
    const grpcPort = await freePort();
    const node = await startExample('rooms-grpc', {
      ...NO_KAFKA,
      REDIS_URL: 'redis://127.0.0.1:1',
      TOKEN_KEY: 'auth',
      GRPC_PORT: String(grpcPort),
    });
    const own = new Notifier(grpcPort);
    try {
      const client = await WsClient.open(`${node.wsUrl}/ws?auth=${token('ann')}`);
      await client.next('connected');
      await own.call('PrivateNotify', 'hello', { ...order, userId: 'ann' });
      expect(await client.next('private')).toMatchObject({ payload: { value: 'hello' } });
      const exit = node.stop();
      expect(await client.next('reconnect')).toMatchObject({ payload: { reason: 'drain' } });
      expect(await client.closed).toMatchObject({ code: 4000 });
      expect(await exit).toEqual({ code: 0, signal: null });
      await expect(own.call('Broadcast', 'too late', order)).rejects.toMatchObject({ code: 14 });
    } finally {
      own.close();
      await node.kill();
    }
  }, 60_000);
});

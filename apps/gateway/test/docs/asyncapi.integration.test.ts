import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, WsClient, type Frame } from '@ws-gateway/testkit';
import { asyncApi, mismatch } from './asyncapi-document.js';
import { notify } from '../grpc-client.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

const PUSHES = [
  'connected',
  'update',
  'subscriptionUpdate',
  'subscriptionError',
  'sent',
  'notification',
  'reconnect',
  'left',
  'error',
];
let cluster: GatewayCluster;
let backend: Server;
let backendStatus = 200;
let grpcPort: number;
/** Messages, with their events, that real frames have been. */
const seen = new Set<string>();
const commands = new Set<string>();
const clients: WsClient[] = [];

beforeAll(async () => {
  backend = createServer((_, response) => response.writeHead(backendStatus).end('{"total":3}'));
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  grpcPort = await freePort();
  const config = {
    backends: { http: { notification: { url } } },
    grpc: { enabled: true, port: grpcPort },
    rooms: { history: { size: 10 } },
    inbound: { enabled: true, kafkaTopic: 'ws-inbound-asyncapi' },
  };
  const topics = {
    notifications: { ack: true },
    'no-history': { history: { size: 0 } },
    prices: { format: 'json', map: { keyed: 'key' } },
  };
  cluster = await GatewayCluster.open({ nodes: [{ config }], topics });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  backend.close();
}, 60_000);

async function open(path: string, query: string): Promise<WsClient> {
  const client = await WsClient.open(`${cluster.nodes[0]!.wsUrl}${path}?${query}`);
  clients.push(client);
  await client.next('connected');
  return client;
}

/** Sends a command as the document says, and holds the answer against it. */
async function ask(client: WsClient, command: string, options: Readonly<Record<string, unknown>>): Promise<Frame> {
  expect([command, mismatch(command, { rid: 1, command, options })]).toEqual([command, null]);
  const answer = await client.request(command, options);
  expect([command, answer, mismatch(`${command}Answer`, answer)]).toEqual([command, answer, null]);
  expect(mismatch('failure', answer)).not.toBeNull();
  commands.add(command);
  return answer;
}

/** Checks that each push is one of the documented ones, and only one. */
function holdPushes(): void {
  for (const frame of clients.flatMap(({ frames }) => frames).filter(({ rid }) => rid === -1)) {
    const fitting = PUSHES.filter((message) => mismatch(message, frame) === null);
    expect([frame, fitting]).toEqual([frame, [expect.any(String)]]);
    const { event, status } = frame as { event: string; status: string };
    seen.add(fitting[0]!.startsWith('subscription') ? `${fitting[0]} ${status}` : `${fitting[0]} ${event}`);
  }
}

function subscriptionId(user: string): string {
  const where = { userId: user, types: ['a'] };
  const json = JSON.stringify({ command: '', resource: 'notification', hash: '', where });
  return createHash('md5').update(json).digest('hex');
}

const news = (reload: boolean) => ({
  value: {
    type: 'update_subscription',
    document: { subscriptions: [subscriptionId('ann')], type: 'update', event: 'x', options: { reload }, data: 1 },
  },
});

describe('docs/asyncapi.yaml', () => {
  it('describes every command and its answer', async () => {
    const client = await open('/mobile', `token=${token('ann')}&topics=notifications`);
    await ask(client, 'ping', {});
    await cluster.produce('notifications', record('ann', { n: 1 }));
    const { stream, epoch } = await client.next('notifications');
    await ask(client, 'unsubscribe', { topics: ['notifications'] });
    await ask(client, 'subscribe', { topics: [{ topic: 'notifications', epoch, offset: 0 }, 'no-history'] });
    const keys = [{ topic: 'prices', keys: ['a', '€'], positions: { a: { epoch, offset: 0 } } }];
    await ask(client, 'subscribe', { topics: keys });
    await ask(client, 'history', { topic: 'prices', key: 'a' });
    await ask(client, 'unsubscribe', { topics: [{ topic: 'prices', keys: ['a', '€'] }] });
    await ask(client, 'ack', { stream, offset: 1 });
    const kept = await ask(client, 'history', { topic: 'notifications', after: { epoch, offset: 0 }, limit: 5 });
    expect((kept['payload'] as { messages: unknown[] }).messages).toHaveLength(1);
    await ask(client, 'enter', { room: 'lobby' });
    await ask(client, 'presence', { room: 'lobby' });
    await ask(client, 'presence', { user: 'ann' });
    await ask(client, 'send', { to: { room: 'lobby' }, payload: 1 });
    await ask(client, 'history', { room: 'lobby' });
    await ask(client, 'leave', { room: 'lobby' });
    const { event } = await ask(client, 'getMyNotifications', { params: { limit: 1 }, where: { types: ['a'] } });
    await ask(client, 'getMyNotificationsCount', { where: { types: ['a'] }, status: 'read' });
    await ask(client, 'updateNotifications', { where: { notifications: ['n1'] }, status: 'read' });
    await ask(client, 'subscription', { ids: [event], action: 'unsubscribe' });
    await ask(client, 'authentication', { authToken: token('ann', { again: 1 }), update: true });
    const answered = Object.entries(asyncApi.operations).filter(([, { reply }]) => reply !== undefined);
    expect([...commands].sort()).toEqual(answered.map(([name]) => name).sort());
  });

  it('describes what is refused', async () => {
    const client = await open('/ws', `token=${token('bob', { topics: [] })}`);
    for (const [command, options] of [
      ['nonsense', {}],
      ['subscribe', {}],
      ['subscribe', { topics: ['notifications'] }],
      ['updateNotifications', {}],
      ['presence', { user: 'ann' }],
    ] as const) {
      const answer = await client.request(command, options);
      expect([command, mismatch('failure', answer)]).toEqual([command, null]);
      expect(mismatch(`${command}Answer`, answer)).not.toBeNull();
    }
    for (const text of ['{', '{"action":"enter","room":"a b"}']) {
      client.send(text);
      await client.next('error');
    }
  });

  it('describes every push', async () => {
    const ann = await open('/ws', `token=${token('ann')}&topics=notifications,no-history`);
    const bob = await open('/ws', `token=${token('bob')}&topics=prices,no-history&keys.prices=a,b`);
    const guest = await open('/web', '');
    const [member, other] = await Promise.all(
      ['cleo', 'dan'].map((user) => open('/websocket/main', `token=${token(user)}`)),
    );
    await ann.request('getMyNotifications', { where: { types: ['a'] } });
    await cluster.produce('prices', { key: 'a', value: 1 });
    await bob.next('prices');
    await bob.request('authentication', { authToken: token('bob', { topics: [] }), update: true });
    await cluster.produce('no-history', record('ann', 1));
    await cluster.produce('notifications', { value: { payload: 2 }, headers: { 'ws-audience': 'topic' } });
    await cluster.produce('wss', news(false), news(true));
    await ann.next('no-history');
    await ann.next(({ event, user_id: user }) => event === 'notifications' && user === undefined);
    await ann.next(({ status }) => status === 'reload');
    backendStatus = 500;
    await cluster.produce('wss', news(true));
    await ann.next(({ event, status }) => event !== 'error' && status === 'error');
    for (const client of [ann, bob]) await client.request('enter', { room: 'lobby' });
    await bob.request('send', { to: { room: 'lobby' }, payload: { hello: 1 } });
    await ann.next('room');
    await bob.request('send', { to: { user: 'ann' }, payload: null });
    await ann.next('user');
    await member!.request('send', { to: { hub: 'main' }, payload: [] });
    await other!.next('hub');
    await notify(grpcPort, 'NotifyRoom', { type: 'TYPE_ERROR', entityId: 'e', room: 'lobby' });
    await ann.next(({ entityId }) => entityId === 'e');
    await notify(grpcPort, 'PrivateNotify', { type: 'TYPE_SUCCESS', entityId: 'e', userId: 'ann' });
    await ann.next('private');
    await notify(grpcPort, 'Broadcast', { entityId: 'all' });
    await guest.next('broadcast');
    await cluster.nodes[0]!.stop();
    for (const client of clients) expect(asyncApi['x-close-codes']).toHaveProperty(String((await client.closed).code));
    holdPushes();
    expect([...seen].sort()).toEqual([
      'connected connected',
      'error error',
      'left left',
      'notification broadcast',
      'notification private',
      'notification room',
      'reconnect reconnect',
      'sent hub',
      'sent room',
      'sent user',
      'subscriptionError error',
      'subscriptionUpdate reload',
      'subscriptionUpdate update',
      'update no-history',
      'update notifications',
      'update prices',
    ]);
  });
});

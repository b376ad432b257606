import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTopics, produce, testBrokers, uniqueName, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { oneCluster, startExample, stopAll, token } from './example.js';
import { HttpBackend, type Answer, type Asked } from './http-backend.js';

/** The commands example: commands with request ids that HTTP backends answer, and pushes with rid -1 from the Kafka topic `wss`. */
let nodes: GatewayProcess[] = [];
let users: HttpBackend;
let notifications: HttpBackend;
let mobile: HttpBackend;
let topic: string;

const LIST = { notifications: [{ id: 'n1', title: 'Hello' }] };

/** A notification service: knows who asks by the Authorization that clients gave. */
function notificationService({ method, query, headers, body }: Asked): Answer {
  if (headers.authorization === undefined) return { status: 401, body: { code: 'no_token', message: 'who are you?' } };
  if (method === 'PUT') return { status: 200, body: { updated: (body as { ids: string[] }).ids.length } };
  if (query.has('status')) return { status: 200, body: { total: 7 } };
  return { status: 200, body: LIST };
}

/** A user service, which has sessions of its own beside tokens. */
function userService({ headers: { authorization } }: Asked): Answer {
  if (authorization === token('stranger')) return { status: 403, body: { code: 'suspended', message: 'not you' } };
  if (authorization === 'forged') return { status: 401, body: { code: 'no_session', message: 'who is that?' } };
  return { status: 200, body: { id: authorization === 'session-of-zoe' ? 'zoe' : 'ann', name: 'Ann' } };
}

beforeAll(async () => {
  topic = uniqueName('wss');
  [users, notifications, mobile] = await Promise.all([
    HttpBackend.start(userService),
    HttpBackend.start(notificationService),
    HttpBackend.start(({ path }) => ({ status: 200, body: { path } })),
    createTopics([topic], 2),
  ]);
  const env = {
    ...oneCluster(),
    KAFKA_BROKERS: testBrokers(),
    HOST_ENV: 'staging',
    NODE_ENV: 'staging',
    WSGATEWAY_KAFKA_GROUP_ID: topic,
    WSGATEWAY_TOPICS_WSS_KAFKA_TOPIC: topic,
    WSGATEWAY_GRPC_ENABLED: 'false',
    WSGATEWAY_BACKENDS_HTTP_USER_URL: `${users.url}/users/me`,
    WSGATEWAY_BACKENDS_HTTP_NOTIFICATION_URL: `${notifications.url}/notifications`,
    WSGATEWAY_BACKENDS_HTTP_SCHEDULE_MOBILE_URL: `${mobile.url}/schedules`,
    WSGATEWAY_BACKENDS_HTTP_TOURNAMENT_MOBILE_URL: `${mobile.url}/tournaments`,
  };
  nodes = await Promise.all([startExample('commands', env), startExample('commands', env)]);
}, 90_000);
afterAll(async () => {
  await stopAll(...nodes);
  await Promise.all([users, notifications, mobile].map((backend) => backend?.stop()));
}, 60_000);

/** Opens a connection without a token, then authenticates, as these clients do. */
async function session(at: number, endpoint: 'web' | 'mobile', user: string): Promise<WsClient> {
  const client = await WsClient.open(`${nodes[at]!.wsUrl}/${endpoint}`);
  await client.next('connected');
  const answer = await client.request('authentication', { authToken: token(user) });
  expect(answer).toEqual({ rid: 1, event: 'authentication', status: 'ok', payload: { id: 'ann', name: 'Ann' } });
  return client;
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
const notificationId = (user: string, types: string): string =>
  md5(`{"command":"","resource":"notification","hash":"","where":{"userId":"${user}","types":${types}}}`);

/** Makes a record as these producers write it. */
const update = (ids: readonly string[], data: unknown, reload = false) => ({
  value: {
    type: 'update_subscription',
    document: { subscriptions: ids, type: 'update', event: 'new_notification', options: { reload }, data },
  },
});

describe('the commands example', () => {
  it('gives each connection a session of its own, which is authorized by command', async () => {
    const [one, other] = await Promise.all([session(0, 'web', 'ann'), session(1, 'mobile', 'ann')]);
    const ids = [one, other].map(({ frames }) => (frames[0]!['payload'] as { connection: string }).connection);
    expect(new Set(ids).size).toBe(2);
    expect(users.last).toMatchObject({ method: 'GET', path: '/users/me', headers: { authorization: token('ann') } });
    await one.close();
    await other.close();
  });

  it('lets nobody be whom the user service refuses', async () => {
    const client = await WsClient.open(`${nodes[0]!.wsUrl}/web`);
    await client.next('connected');
    expect(await client.request('authentication', { authToken: token('stranger') })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'suspended' },
    });
    expect(await client.request('authentication', { authToken: 'forged' })).toMatchObject({
      status: 'unauthorized',
      payload: { code: 'no_session' },
    });
    expect(await client.request('getMyNotifications', { where: { types: ['a'] } })).toMatchObject({
      status: 'unauthorized',
      payload: { code: 'no_token', message: 'who are you?' },
    });
    await client.close();
  });

  it('believes the user service what is no token of the gateway', async () => {
    const client = await WsClient.open(`${nodes[0]!.wsUrl}/web`);
    await client.next('connected');
    expect(await client.request('authentication', { authToken: 'session-of-zoe' })).toMatchObject({
      status: 'ok',
      payload: { id: 'zoe', name: 'Ann' },
    });
    const { event } = await client.request('getMyNotifications', { where: { types: ['a'] } });
    const hashed = '{"command":"","resource":"notification","hash":"","where":{"userId":"zoe","types":["a"]}}';
    expect(event).toBe(md5(hashed));
    expect(notifications.last.headers.authorization).toBe('session-of-zoe');
    await client.close();
  });

  it('answers each request once, under its own id, whatever the order', async () => {
    const client = await session(0, 'web', 'ann');
    const slow = Promise.withResolvers<void>();
    notifications.answer = async (asked) => {
      if (asked.query.has('status')) await slow.promise;
      return notificationService(asked);
    };
    client.send({
      rid: 50,
      command: 'getMyNotificationsCount',
      options: { where: { types: ['a'] }, status: 'unread' },
    });
    client.send({ rid: 40, command: 'ping', options: {} });
    client.send({ rid: 45, command: 'nope', options: {} });
    expect(await client.next(({ rid }) => rid === 45)).toMatchObject({
      event: 'nope',
      status: 'error',
      payload: { code: 'unknown_command' },
    });
    slow.resolve();
    expect(await client.next(({ rid }) => rid === 50)).toEqual({
      rid: 50,
      event: 'getMyNotificationsCount',
      status: 'ok',
      payload: { total: 7 },
    });
    expect(client.frames.map(({ rid }) => rid)).toEqual([-1, 1, 40, 45, 50]);
    notifications.answer = notificationService;
    await client.close();
  });

  it('gets the list of notifications, changes their status, and pushes when there is a new one', async () => {
    const [client, other] = await Promise.all([session(0, 'web', 'ann'), session(1, 'web', 'bob')]);
    const options = { params: { limit: 5, skip: 10, sort: '-createdAt' }, where: { types: ['offer', 'news'] } };
    const id = notificationId('ann', '["offer","news"]');
    const list = await client.request('getMyNotifications', options);
    expect(list).toEqual({ rid: 2, event: id, status: 'ok', payload: LIST });
    expect(notifications.last.query.toString()).toBe('limit=5&skip=10&sort=-createdAt&type=offer&type=news');
    expect(notifications.last.headers.authorization).toBe(token('ann'));

    const where = { notifications: ['n1', 'n2'] };
    expect(await client.request('updateNotifications', { where, status: 'read' })).toMatchObject({
      status: 'ok',
      payload: { updated: 2 },
    });
    expect(notifications.last).toMatchObject({ method: 'PUT', body: { ids: ['n1', 'n2'], status: 'read' } });

    await produce(topic, [update([id], { id: 'n3' }), update([id], null, true)]);
    const pushes = [await client.next(id), await client.next(id)];
    expect(pushes).toContainEqual({ rid: -1, event: id, status: 'update', payload: { id: 'n3' } });
    expect(pushes).toContainEqual({ rid: -1, event: id, status: 'reload', payload: LIST });

    expect(await client.request('subscription', { ids: [id], action: 'unsubscribe' })).toMatchObject({ status: 'ok' });
    const barrier = (await other.request('getMyNotifications', options))['event'] as string;
    await produce(topic, [update([id, barrier], { id: 'n4' })]);
    await other.next(barrier);
    await client.request('ping');
    expect(client.frames.filter(({ rid }) => rid === -1)).toHaveLength(3);
    await client.close();
    await other.close();
  });

  it('has the commands of phones on /mobile only', async () => {
    const [phone, page] = await Promise.all([session(1, 'mobile', 'ann'), session(0, 'web', 'ann')]);
    const where =
      '{"from":1,"to":2,"timezone":"UTC","gameIds":[3],"substage":{"tiers":["S"]},"tournament":{"ids":[9]}}';
    const id = md5(`{"command":"","resource":"schedule","hash":"","where":${where}}`);
    phone.send(`{"rid":7,"command":"getSchedules","options":{"where":${where}}}`);
    expect(await phone.next(({ rid }) => rid === 7)).toMatchObject({ event: id, payload: { path: '/schedules' } });
    expect(mobile.last.query.toString()).toBe('from=1&to=2&tz=UTC&game_id=3&substage.tier=S&tournament.id=9');
    await produce(topic, [update([id], { moved: true })]);
    expect(await phone.next(({ rid }) => rid === -1)).toMatchObject({ event: id, payload: { moved: true } });
    expect(await phone.request('getTournament', { where: { id: 'cup-1' } })).toMatchObject({
      status: 'ok',
      payload: { path: '/tournaments/cup-1' },
    });
    expect(await page.request('getTournament', { where: { id: 'cup-1' } })).toMatchObject({
      payload: { code: 'unknown_command' },
    });
    await phone.close();
    await page.close();
  });

  it('says when a backend is away, and names its environment in the log', async () => {
    const client = await session(0, 'web', 'ann');
    notifications.answer = () => ({ status: 500 });
    expect(await client.request('getMyNotifications', { where: { types: [] } })).toMatchObject({
      event: 'getMyNotifications',
      status: 'error',
      payload: { code: 'backend_error' },
    });
    notifications.answer = notificationService;
    await client.close();
    expect(nodes[0]!.logs.every(({ env }) => env === 'staging')).toBe(true);
  });
});

describe('the commands example on one node', () => {
  it('needs no Redis', async () => {
    const group = uniqueName('wss-alone');
    await createTopics([group]);
    const node = await startExample('commands', {
      REDIS_URL: 'redis://127.0.0.1:1',
      KAFKA_BROKERS: testBrokers(),
      WSGATEWAY_KAFKA_GROUP_ID: group,
      WSGATEWAY_TOPICS_WSS_KAFKA_TOPIC: group,
      WSGATEWAY_GRPC_ENABLED: 'false',
      WSGATEWAY_BACKENDS_HTTP_USER_URL: `${users.url}/users/me`,
      WSGATEWAY_BACKENDS_HTTP_NOTIFICATION_URL: `${notifications.url}/notifications`,
    });
    try {
      const client = await WsClient.open(`${node.wsUrl}/web?token=${token('zoe')}`);
      const answer = await client.request('getMyNotifications', { where: { types: ['a<b'] } });
      const id = notificationId('zoe', '["a\\u003cb"]');
      expect(answer).toMatchObject({ event: id, status: 'ok' });
      await produce(group, [update([id], 1)]);
      expect(await client.next(({ rid, event }) => rid === -1 && event === id)).toMatchObject({ payload: 1 });
      await client.close();
    } finally {
      await node.stop();
    }
  }, 60_000);
});

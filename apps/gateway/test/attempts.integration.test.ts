import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WsClient, WsRefusedError } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

const PER_SECOND = 10;

let cluster: GatewayCluster;
let backend: Server;

beforeAll(async () => {
  backend = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
  });
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const { port } = backend.address() as AddressInfo;
  const backends = { http: { notification: { url: `http://127.0.0.1:${port}` } } };
  cluster = await GatewayCluster.open({
    nodes: [
      { config: { backends } },
      { role: 'edge', config: { limits: { handshakesPerSecond: PER_SECOND } } },
      { role: 'edge', config: { limits: { maxLifetime: '1s' } } },
    ],
  });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  backend.close();
}, 60_000);

/** Subscription id by which bob gets updates. It is made of his id, so anybody can compute it. */
function subscriptionIdOf(user: string): string {
  const json = `{"command":"","resource":"notification","hash":"","where":{"userId":"${user}","types":["offer"]}}`;
  return createHash('md5').update(json).digest('hex');
}

describe('somebody who wants what is for another user', () => {
  it('cannot name the stream of another user, in the query or by command', async () => {
    const stream = encodeURIComponent('notifications/u/bob:e1:0');
    const refused = await WsClient.refused(
      cluster.url(0, `token=${token('ann')}&topics=notifications&recover=${stream}`),
    );
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    const ann = await cluster.connect(0, 'ann', '');
    for (const topic of ['notifications/u/bob', `sub/${subscriptionIdOf('bob')}`, 'notifications/*']) {
      for (const [command, options] of [
        ['subscribe', { topics: [topic] }],
        ['history', { topic, limit: 10 }],
        ['history', { room: topic, limit: 10 }],
        ['enter', { room: topic }],
        ['ack', { stream: topic, offset: 1 }],
      ] as const) {
        expect(await ann.request(command, options)).not.toMatchObject({ status: 'ok' });
      }
    }
    expect(await ann.request('presence', { user: 'bob' })).not.toMatchObject({ status: 'ok' });
    await ann.close();
  });

  it('gets nothing by the subscription id of another user, however it is asked for', async () => {
    const id = subscriptionIdOf('bob');
    const [ann, bob] = await Promise.all([cluster.connect(0, 'ann', 'wss'), cluster.connect(0, 'bob', '')]);
    const asked = { params: {}, where: { types: ['offer'] } };
    expect(await bob.request('getMyNotifications', asked)).toMatchObject({ event: id, status: 'ok' });
    await ann.request('getMyNotifications', { ...asked, where: { ...asked.where, userId: 'bob' } });
    await ann.request('getMyNotifications', { ...asked, userId: 'bob' });
    await ann.request('subscription', { ids: [id], action: 'subscribe' });
    // Taking it from him does not work either.
    await ann.request('subscription', { ids: [id], action: 'unsubscribe' });
    const document = { subscriptions: [id], type: 'update', event: 'x', options: { reload: false }, data: 'for bob' };
    await cluster.produce('wss', { value: { type: 'update_subscription', document } });
    expect(await bob.next(id)).toMatchObject({ payload: 'for bob' });
    // What comes to her after this is the barrier.
    await ann.request('subscribe', { topics: ['notifications'] });
    await cluster.produce('notifications', record('ann', 'for ann'));
    await ann.next(({ payload }) => payload === 'for ann');
    expect(ann.texts.join('\n')).not.toContain('for bob');
    await Promise.all([ann.close(), bob.close()]);
  });
});

describe('a flood of handshakes', () => {
  it('is let in at limits.handshakesPerSecond, the rest is told to come back, and open sockets do not notice', async () => {
    const before = await cluster.connect(1, 'cleo', 'notifications');
    const attempts = Array.from({ length: 10 * PER_SECOND }, (_, at) =>
      WsClient.open(cluster.url(1, `token=${token(`flood-${at}`)}`)),
    );
    await cluster.produce('notifications', record('cleo', 'meanwhile'));
    const outcomes = await Promise.allSettled(attempts);
    const refusals = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(refusals.length).toBeGreaterThan(0);
    for (const reason of refusals) {
      if (!(reason instanceof WsRefusedError)) throw reason;
      expect(reason.refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
      expect(Number(reason.refused.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(refusals.length).toBeLessThan(attempts.length);
    expect(await before.next('notifications')).toMatchObject({ payload: 'meanwhile' });
    await Promise.all(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value.close()] : [])));
    await before.close();
  });
});

describe('a socket that would stay for ever', () => {
  it('is sent away with 4002 after limits.maxLifetime, and may come back', async () => {
    const client = await cluster.connect(2, 'dora', '');
    expect(await client.closed).toMatchObject({ code: 4002 });
    await (await cluster.connect(2, 'dora', '')).close();
  });
});

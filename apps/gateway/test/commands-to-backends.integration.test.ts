import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WsClient } from '@ws-gateway/testkit';
import { metric } from './faults/gateway-processes.js';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let backend: Server;
const calls: Pick<IncomingMessage, 'method' | 'url' | 'headers'>[] = [];
let answer: { status: number; body: unknown } = { status: 200, body: { notifications: [] } };

beforeAll(async () => {
  backend = createServer((request, response) => {
    const { method, url, headers } = request;
    calls.push({ method, url, headers });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const { port } = backend.address() as AddressInfo;
  const base = `http://127.0.0.1:${port}/api`;
  const http = { notification: { url: `${base}/notifications` }, user: { url: `${base}/me` } };
  const config = { backends: { http }, limits: { badRequests: 3 } };
  cluster = await GatewayCluster.open({
    nodes: [{ role: 'edge', config }, { role: 'edge', config }, { role: 'router' }],
  });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  backend.close();
}, 60_000);

function idOf(user: string, types: readonly string[]): string {
  const json = JSON.stringify({ command: '', resource: 'notification', hash: '', where: { userId: user, types } });
  return createHash('md5').update(json).digest('hex');
}

const options = { params: { limit: 10, skip: 0, sort: '-createdAt' }, where: { types: ['offer'] } };
const update = (ids: readonly string[], data: unknown, reload = false) => ({
  value: {
    type: 'update_subscription',
    document: { subscriptions: ids, type: 'update', event: 'x', options: { reload }, data },
  },
});

describe('getMyNotifications', () => {
  it('asks the backend as the client, answers under the subscription id, and brings the updates of that id', async () => {
    const client = await cluster.connect(0, 'ann', '');
    const other = await cluster.connect(1, 'bob', '');
    answer = { status: 200, body: { notifications: [{ id: 1 }] } };
    const id = idOf('ann', ['offer']);
    expect(await client.request('getMyNotifications', options)).toEqual({
      rid: 1,
      event: id,
      status: 'ok',
      payload: { notifications: [{ id: 1 }] },
    });
    const call = calls.at(-1)!;
    expect(call.method).toBe('GET');
    expect(call.url).toBe('/api/notifications?limit=10&skip=0&sort=-createdAt&type=offer');
    expect(call.headers.authorization).toBe(`Bearer ${token('ann')}`);
    await cluster.produce('wss', update([id], { n: 1.0 }));
    expect(await client.next(id)).toEqual({ rid: -1, event: id, status: 'update', payload: { n: 1 } });
    answer = { status: 200, body: { notifications: [{ id: 2 }] } };
    await cluster.produce('wss', update([id], null, true));
    expect(await client.next(id)).toEqual({
      rid: -1,
      event: id,
      status: 'reload',
      payload: { notifications: [{ id: 2 }] },
    });
    expect(await client.request('subscription', { ids: [id], action: 'unsubscribe' })).toMatchObject({ status: 'ok' });
    expect(other.frames).toHaveLength(1);
    await client.close();
    await other.close();
  });

  it('subscribes nobody when the backend refuses', async () => {
    const client = await cluster.connect(0, 'cleo', '');
    for (const [status, expected] of [
      [401, 'unauthorized'],
      [403, 'forbidden'],
      [500, 'error'],
    ] as const) {
      answer = { status, body: { code: 'why', message: 'because' } };
      const frame = await client.request('getMyNotifications', options);
      expect(frame).toMatchObject({ event: 'getMyNotifications', status: expected, payload: { code: 'why' } });
    }
    const id = idOf('cleo', ['offer']);
    answer = { status: 200, body: [] };
    const other = await cluster.connect(0, 'otto', '');
    const { event: othersId } = await other.request('getMyNotifications', options);
    // Both records have one key, so that the second tells that the first has been routed.
    const records = [update([id], 'not for you'), update([othersId as string], 'barrier')];
    await cluster.produce('wss', ...records.map((one) => ({ ...one, key: 'one' })));
    await other.next(othersId as string);
    await other.close();
    const granted = await client.request('getMyNotifications', options);
    expect(granted['event']).toBe(id);
    await cluster.produce('wss', update([id], 'for you'));
    expect(await client.next(id)).toMatchObject({ payload: 'for you' });
    expect(client.frames.map(({ payload }) => payload)).not.toContain('not for you');
    await client.close();
  });
});

describe('a reload', () => {
  it('asks the backend once for all connections of a node whose request is the same', async () => {
    answer = { status: 200, body: { notifications: [1] } };
    const clients = await Promise.all(Array.from({ length: 12 }, () => cluster.connect(0, 'finn', '')));
    const mobile = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/mobile?token=${token('finn')}`);
    const renewed = await WsClient.open(cluster.url(0, `token=${token('finn', { again: 1 })}`));
    const elsewhere = await cluster.connect(1, 'finn', '');
    const all = [...clients, mobile, renewed, elsewhere];
    const where = { types: ['offer'] };
    const subscribed = await Promise.all(all.map((client) => client.request('getMyNotifications', { where })));
    const ids = new Set(subscribed.map(({ event }) => event as string));
    expect(ids.size).toBe(1);
    // The first is another page of the same subscription, the second the same request written differently.
    const paged = await cluster.connect(0, 'finn', '');
    await paged.request('getMyNotifications', { where, params: { limit: 1 } });
    const spaced = await cluster.connect(0, 'finn', '');
    spaced.send('{"rid":1, "command":"getMyNotifications", "options":{ "where" : {"types":["off\\u0065r"]} }}');
    await spaced.next(({ rid }) => rid === 1);
    const before = calls.length;
    await cluster.produce('wss', update([...ids], null, true));
    for (const client of [...all, paged, spaced]) {
      expect(await client.next(({ status }) => status === 'reload')).toMatchObject({ payload: { notifications: [1] } });
    }
    const asked = calls.slice(before).map(({ url, headers }) => `${url} ${headers.authorization}`);
    const plain = '/api/notifications?type=offer Bearer ';
    expect(asked.sort()).toEqual(
      [
        `${plain}${token('finn')}`,
        `${plain}${token('finn')}`,
        `${plain}${token('finn', { again: 1 })}`,
        `/api/notifications?limit=1&type=offer Bearer ${token('finn')}`,
      ].sort(),
    );
    for (const client of [...all, paged, spaced]) await client.close();
  });
});

describe('commands of the table', () => {
  it('authenticate by the token of the command, with the answer of the backend', async () => {
    answer = { status: 200, body: { name: 'Ann' } };
    const client = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/web`);
    const authToken = token('ann');
    expect(await client.request('authentication', { authToken })).toMatchObject({
      status: 'ok',
      payload: { name: 'Ann' },
    });
    expect(calls.at(-1)).toMatchObject({ url: '/api/me', headers: { authorization: authToken } });
    // Neither this answer nor the token names a user.
    expect(await client.request('authentication', { authToken: 'forged' })).toMatchObject({
      status: 'forbidden',
      payload: { code: 'token_invalid' },
    });
    await client.close();
  });

  it('count among the bad requests of a connection when an option is missing', async () => {
    const client = await cluster.connect(0, 'dora', '');
    const before = calls.length;
    for (let at = 0; at < 2; at++) {
      const refused = await client.request('getMyNotifications', {});
      expect(refused).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
    }
    client.send({ rid: 9, command: 'updateNotifications' });
    expect((await client.closed).code).toBe(4502);
    expect(calls).toHaveLength(before);
  });

  it('are measured', async () => {
    const node = cluster.nodes[1]!;
    const client = await cluster.connect(1, 'gina', '');
    const command = 'getMyNotificationsCount';
    const ask = () => client.request(command, { where: { types: ['a'] }, status: 'read' });
    answer = { status: 200, body: { total: 1 } };
    await ask();
    answer = { status: 503, body: {} };
    await ask();
    expect(await metric(node, `backend_request_duration_seconds_count{command="${command}"}`)).toBe(2);
    expect(await metric(node, `backend_request_errors_total{command="${command}",reason="status_5xx"}`)).toBe(1);
    expect(await metric(node, 'backend_requests_in_flight')).toBe(0);
    expect(await metric(node, 'backend_requests_queued')).toBe(0);
    await client.close();
  });
});

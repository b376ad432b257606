import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from '../admin/admin-client.js';
import { GatewayCluster, record, token, type NodeOptions } from '../gateway-cluster.js';
import { SseClient, type SseEvent } from './sse-client.js';

let cluster: GatewayCluster;
const clients: SseClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await cluster.close();
});

async function start(config: Record<string, object> = {}, nodes = 1): Promise<void> {
  const node: NodeOptions = { config: { admin: { token: ADMIN_TOKEN }, ...config } };
  cluster = await GatewayCluster.open({ nodes: Array.from({ length: nodes }, () => node), topics: { orders: {} } });
}

const url = (at: number, user: string, claims = {}) =>
  `${cluster.nodes[at]!.httpUrl}/sse?token=${token(user, claims)}&topics=orders`;

async function open(at: number, user: string, claims = {}, headers = {}): Promise<SseClient> {
  const client = await SseClient.open(url(at, user, claims), headers);
  clients.push(client);
  await client.next('connected');
  return client;
}

/** The last event, and what the answer to an EventSource's next try is then. */
async function end(client: SseClient): Promise<SseEvent & { readonly close: Record<string, unknown> }> {
  const event = await client.next('close');
  expect(await client.ended).toBe(true);
  expect(client.events.at(-1)).toBe(event);
  const close = JSON.parse(event.data) as { code: number; after_ms: number };
  expect(Object.keys(close)).toEqual(['code', 'reason', 'after_ms']);
  expect(event.retry).toBe(close.code === 4010 ? 5000 : close.after_ms);
  return { ...event, close };
}

describe('an end of server-sent events', () => {
  it('by a block is told with its reason, and the next try is refused for as long as the block lasts', async () => {
    await start();
    const client = await open(0, 'ann');
    await cluster.produce('user-blocks', record('ann', { blocked: true, reason: 'fraud' }));
    expect((await end(client)).close).toMatchObject({ code: 4500, reason: 'fraud' });
    const refused = await SseClient.refused(url(0, 'ann'), { 'last-event-id': client.lastId });
    expect(refused).toMatchObject({ status: 403, error: { code: 'user_blocked', reason: 'fraud' } });
    await cluster.produce('user-blocks', record('ann', { blocked: false }));
    await waitFor(() => open(0, 'ann', {}, { 'last-event-id': client.lastId }));
  });

  it('by an expired token is 4010, and the next try with it is refused', async () => {
    await start({ auth: { clockTolerance: '0s' } });
    const claims = { exp: Math.ceil(Date.now() / 1000) + 2 };
    const client = await open(0, 'ann', claims);
    expect((await end(client)).close).toMatchObject({ code: 4010, reason: 'token_expired' });
    const { status } = await SseClient.refused(url(0, 'ann', claims), { 'last-event-id': client.lastId });
    expect(status).toBe(401);
    await open(0, 'ann', {}, { 'last-event-id': client.lastId });
  });

  it('by a replacement lets the old one not take the place again, until it is free', async () => {
    await start({ sessions: { max: 1, policy: 'replace' } }, 2);
    const old = await open(0, 'ann');
    const newer = await open(1, 'ann');
    const { close, id } = await end(old);
    expect(close).toMatchObject({ code: 4501, reason: 'session_replaced' });
    const refused = await SseClient.refused(url(0, 'ann'), { 'last-event-id': id });
    expect([refused.status, refused.error['code']]).toEqual([429, 'too_many_connections']);
    await cluster.produce('orders', record('ann', 'while away'));
    await newer.count(1);
    newer.close();
    const back = await waitFor(() => open(0, 'ann', {}, { 'last-event-id': id }));
    await back.count(1);
    expect(back.payloads).toEqual(['while away']);
    await open(1, 'ann');
    expect((await end(back)).close).toMatchObject({ code: 4501 });
  });

  it('by an operator is 4504, a revoked token is refused', async () => {
    await start();
    const client = await open(0, 'ann', { jti: 'one' });
    const { connection } = (client.frames[0] as { payload: { connection: string } }).payload;
    await call(cluster.nodes[0]!, `DELETE /api/connections/${connection}`);
    expect((await end(client)).close).toMatchObject({ code: 4504, reason: 'revoked' });
    const back = await open(0, 'ann', { jti: 'one' }, { 'last-event-id': client.lastId });
    await call(cluster.nodes[0]!, 'POST /api/revocations', { body: { jti: 'one', ttl: '1h' } });
    expect((await end(back)).close).toMatchObject({ code: 4504 });
    const refused = await SseClient.refused(url(0, 'ann', { jti: 'one' }), { 'last-event-id': client.lastId });
    expect(refused.error['code']).toBe('token_invalid');
  });

  it('by a drain follows reconnect and says when to come back, on a connection that is not used again', async () => {
    await start({}, 2);
    const client = await open(0, 'ann');
    expect(client.headers.connection).toBe('close');
    const exit = cluster.nodes[0]!.stop();
    const reconnect = await client.next('reconnect');
    const { payload } = JSON.parse(reconnect.data) as { payload: { after_ms: number } };
    expect((await end(client)).close).toEqual({ code: 4000, reason: 'drain', after_ms: payload.after_ms });
    await exit;
    await cluster.produce('orders', record('ann', 'meanwhile'));
    const back = await open(1, 'ann', {}, { 'last-event-id': client.lastId });
    await back.count(1);
    expect(back.payloads).toEqual(['meanwhile']);
  });

  it('is not the end of a silence: a comment comes every heartbeat', async () => {
    await start({ server: { heartbeat: '8s' } });
    const client = await open(0, 'ann');
    expect(client.frames[0]).toMatchObject({ payload: { heartbeat_ms: 8000 } });
    await waitFor(() => client.comments === 2, { timeoutMs: 20_000 });
    client.close();
  }, 60_000);

  it('by its lifetime is 4002', async () => {
    await start({ limits: { maxLifetime: '1s' } });
    expect((await end(await open(0, 'ann'))).close).toMatchObject({ code: 4002, reason: 'lifetime' });
  });
});

describe('limits of connections', () => {
  it('hold for server-sent events and WebSockets together', async () => {
    await start({ limits: { connectionsPerAddress: 2 } });
    const client = await open(0, 'ann');
    const socket = await cluster.connect(0, 'bob', 'orders');
    const refused = await SseClient.refused(url(0, 'cid'));
    expect(refused).toMatchObject({ status: 429, error: { code: 'too_many_connections' } });
    expect(refused.headers['retry-after']).toBeDefined();
    client.close();
    await waitFor(() => open(0, 'cid'));
    socket.terminate();
  });

  it('of a process answer full', async () => {
    await start({ limits: { connections: 1 } });
    await open(0, 'ann');
    expect(await SseClient.refused(url(0, 'bob'))).toMatchObject({ status: 503, error: { code: 'full' } });
  });
});

describe('pages of other origins', () => {
  const ask = (method: string, origin: string, path: string) =>
    fetch(cluster.nodes[0]!.httpUrl + path, {
      method,
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization,last-event-id',
      },
    });

  it('may read answers if they are allowed, and only then; preflights are answered', async () => {
    await start({ server: { allowedOrigins: ['https://app.example'] } });
    const allowed = await ask('OPTIONS', 'https://app.example', '/sse?topics=orders');
    expect(allowed.status).toBe(200);
    expect(Object.fromEntries(allowed.headers)).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-headers': expect.stringMatching(/authorization.*last-event-id/),
      'access-control-allow-methods': 'GET',
      vary: 'origin',
    });
    const other = await ask('OPTIONS', 'https://evil.example', '/sse?topics=orders');
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const headers = { origin: 'https://app.example' };
    const client = await open(0, 'ann', {}, headers);
    expect(client.headers).toMatchObject({ 'access-control-allow-origin': 'https://app.example', vary: 'origin' });
    expect(client.headers).not.toHaveProperty('access-control-allow-credentials');
    const refused = await SseClient.refused(`${cluster.nodes[0]!.httpUrl}/sse`, headers);
    expect(refused.headers['access-control-allow-origin']).toBe('https://app.example');
    const forbidden = await SseClient.refused(url(0, 'ann'), { origin: 'https://evil.example' });
    expect(forbidden).toMatchObject({ status: 403, error: { code: 'origin_forbidden' } });
    expect(forbidden.headers).not.toHaveProperty('access-control-allow-origin');
  });
});

describe('sse.enabled and sse.path', () => {
  it('take the endpoint away, or put it elsewhere', async () => {
    await start({ sse: { enabled: false } });
    expect(await SseClient.refused(url(0, 'ann'))).toMatchObject({
      status: 404,
      error: { code: 'unknown_endpoint' },
    });
    await cluster.close();
    await start({ sse: { path: '/events' } });
    const client = await SseClient.open(url(0, 'ann').replace('/sse', '/events'));
    clients.push(client);
    await client.next('connected');
    expect((await SseClient.refused(url(0, 'ann'))).status).toBe(404);
  });
});

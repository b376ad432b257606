import { afterEach, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type WsRefusedError } from '@ws-gateway/testkit';
import { GatewayCluster, record, token, type NodeOptions } from './gateway-cluster.js';

let cluster: GatewayCluster | null = null;
afterEach(async () => {
  await cluster?.close();
  cluster = null;
});

async function open(...nodes: NodeOptions[]): Promise<GatewayCluster> {
  cluster = await GatewayCluster.open({ nodes });
  return cluster;
}

function url(at: number, user: string, claims: Readonly<Record<string, unknown>> = {}): string {
  return cluster!.url(at, `token=${token(user, claims)}&topics=notifications`);
}

/** Opens sockets at once; returns those that were let in, and the refusals of the others. */
async function handshakes(urls: readonly string[]) {
  const results = await Promise.allSettled(urls.map((one) => WsClient.open(one)));
  const clients = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as WsRefusedError] : []));
  return { clients, refusals: refusals.map(({ refused }) => refused) };
}

const errorCode = (body: unknown): unknown => (body as { error?: { code?: unknown } }).error?.code;

describe('sessions of a user', () => {
  // If each node counted for itself, or looked before it wrote, more than two would be let in.
  it('are limited over the whole cluster, however many handshakes come at once', async () => {
    const sessions = { sessions: { max: 2, policy: 'reject' } };
    await open({ config: sessions }, { config: sessions });
    const { clients, refusals } = await handshakes(Array.from({ length: 12 }, (_, i) => url(i % 2, 'ann')));
    expect([clients.length, refusals.length]).toEqual([2, 10]);
    for (const { status, headers, body } of refusals) {
      expect([status, errorCode(body)]).toEqual([429, 'too_many_connections']);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    const other = await WsClient.open(url(0, 'bob'));
    await clients[0]!.close();
    // The place is free at once, on any node.
    const next = await WsClient.open(url(1, 'ann'));
    await next.next('connected');
    for (const client of [other, next, clients[1]!]) await client.close();
  }, 60_000);

  it('make room for the newest where the policy is to replace', async () => {
    const sessions = { sessions: { max: 2, policy: 'replace' } };
    await open({ config: sessions }, { config: sessions });
    const [first, second] = [await WsClient.open(url(0, 'ann')), await WsClient.open(url(1, 'ann'))];
    const third = await WsClient.open(url(1, 'ann'));
    expect(await first.closed).toMatchObject({ code: 4501 });
    for (const client of [second, third]) {
      expect((await client.request('ping')).status).toBe('ok');
      await client.close();
    }
  }, 60_000);
});

describe('the life of a connection', () => {
  it('ends with 4002 after limits.maxLifetime, up to a tenth earlier, and the client goes on where it was', async () => {
    await open({ config: { limits: { maxLifetime: '6s' } } });
    const startedMs = performance.now();
    const clients = await Promise.all(
      Array.from({ length: 10 }, (_, i) => cluster!.connect(0, `u${i}`, 'notifications')),
    );
    await cluster!.produce('notifications', record('u0', 'before'));
    const { epoch, offset } = (await clients[0]!.next('notifications')) as { epoch: string; offset: number };
    for (const client of clients) expect(await client.closed).toMatchObject({ code: 4002, reason: 'lifetime' });
    expect(performance.now() - startedMs).toBeGreaterThan(5000);
    await cluster!.produce('notifications', record('u0', 'meanwhile'));
    const back = await cluster!.connect(0, 'u0', 'notifications', `&recover=notifications:${epoch}:${offset}`);
    expect((await back.next('notifications'))['payload']).toBe('meanwhile');
    await back.close();
  }, 60_000);

  it('ends with 4010 when its token expires, unless it brings a new one', async () => {
    await open({});
    const exp = Math.floor(Date.now() / 1000) + 6;
    const [expires, renewed] = [
      await WsClient.open(url(0, 'ann', { exp })),
      await WsClient.open(url(0, 'bob', { exp })),
    ];
    const authToken = token('bob', { exp: exp + 600 });
    expect((await renewed.request('authentication', { authToken, update: true })).status).toBe('ok');
    expect(await expires.closed).toMatchObject({ code: 4010, reason: 'token_expired' });
    // Both tokens had the same end, so the renewed one would be over as well.
    expect((await renewed.request('ping')).status).toBe('ok');
    await renewed.close();
  }, 60_000);
});

describe('handshakes', () => {
  it('beyond limits.handshakesPerSecond are refused with 503 and Retry-After', async () => {
    await open({ config: { limits: { handshakesPerSecond: 5 } } });
    const { clients, refusals } = await handshakes(Array.from({ length: 40 }, (_, i) => url(0, `u${i}`)));
    expect(clients.length).toBeGreaterThanOrEqual(5);
    expect(refusals.length).toBeGreaterThan(0);
    for (const { status, headers, body } of refusals) {
      expect([status, errorCode(body)]).toEqual([503, 'unavailable']);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    await Promise.all(clients.map((client) => client.close()));
  }, 60_000);
});

describe('handshakes with junk, or without any token', () => {
  it('do not keep out a user whose token is known to be good', async () => {
    await open({ config: { limits: { handshakesPerSecond: 3 } } });
    const known = url(0, 'ann');
    const first = await WsClient.open(known);
    await first.next('connected');
    const { wsUrl } = cluster!.nodes[0]!;
    const flood = handshakes(
      Array.from({ length: 30 }, (_, at) => (at % 2 === 0 ? `${wsUrl}/ws?token=junk-${at}` : `${wsUrl}/web`)),
    );
    const again = await WsClient.open(known);
    expect(await again.next()).toMatchObject({ event: 'connected', payload: { user: 'ann' } });
    const { clients, refusals } = await flood;
    expect(refusals.filter(({ status }) => status === 503).length).toBeGreaterThan(0);
    await Promise.all([first, again, ...clients].map((client) => client.close()));
  }, 60_000);
});

describe('a process that holds limits.connections sockets', () => {
  it('refuses more with 503 full and says so in /ready; /health, /metrics and the open sockets go on', async () => {
    await open({ config: { limits: { connections: 2 } } });
    const node = cluster!.nodes[0]!;
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${node.port}${path}`);
      return { status: response.status, body: await response.text() };
    };
    const { clients, refusals } = await handshakes(['ann', 'bob', 'cleo', 'dora'].map((user) => url(0, user)));
    expect(clients).toHaveLength(2);
    for (const { status, headers, body } of refusals) {
      expect([status, errorCode(body)]).toEqual([503, 'full']);
      expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(await get('/ready')).toEqual({ status: 503, body: '{"status":"unready","failing":["full"]}' });
    expect(await get('/health')).toEqual({ status: 200, body: '{"status":"ok","client_count":2}' });
    expect((await get('/metrics')).body).toMatch(/websocket_connections_limit 2\n/);
    expect((await clients[0]!.request('ping')).status).toBe('ok');
    await clients[0]!.close();
    await waitFor(async () => (await get('/ready')).status === 200, { what: '/ready is 200 again' });
    await (await WsClient.open(url(0, 'cleo'))).close();
    await clients[1]!.close();
  }, 60_000);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { adminRoutes } from '../../src/admin/admin-routes.js';
import { ADMIN_TOKEN, call, document } from './admin-client.js';
import { GatewayCluster, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;
/** The node that is asked, about its own sockets and those of the other node. */
let asked: GatewayProcess;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN }, logger: { level: 'debug' } };
  cluster = await GatewayCluster.open({
    nodes: [{ role: 'edge', config }, { role: 'edge', config }, { role: 'router', config }, { role: 'edge' }],
  });
  asked = cluster.nodes[1]!;
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const errorCode = (body: Readonly<Record<string, unknown>>): unknown => (body['error'] as { code: string }).code;

function connected(client: WsClient): { connection: string; node: string } {
  return client.frames[0]!['payload'] as { connection: string; node: string };
}

describe('the admin API', () => {
  it('is not there without admin.token', async () => {
    const withoutToken = cluster.nodes[3]!;
    for (const { method, path } of adminRoutes) {
      const response = await fetch(withoutToken.httpUrl + path.replace(/:\w+/, 'x'), {
        method,
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      expect([path, response.status]).toEqual([path, 404]);
    }
  });

  it('wants its token on every path', async () => {
    for (const { method, path } of adminRoutes) {
      const request = `${method} ${path.replace(/:\w+/, 'x') as `/${string}`}` as const;
      const missing = await call(asked, request, { token: null });
      expect([path, missing.status, errorCode(missing.body)]).toEqual([path, 401, 'token_missing']);
      const wrong = await call(asked, request, { token: `${ADMIN_TOKEN}x` });
      expect([path, wrong.status, errorCode(wrong.body)]).toEqual([path, 401, 'token_invalid']);
      expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
    }
  });

  it('logs wrong tokens once a minute with how many there were, and slows whoever guesses down', async () => {
    const guesser = cluster.nodes[0]!;
    const guess = () => call(guesser, 'GET /api/nodes', { token: 'guess' });
    const beganMs = performance.now();
    for (let n = 0; n < 13; n++) expect((await guess()).status).toBe(401);
    await Promise.all(Array.from({ length: 12 }, guess));
    expect(performance.now() - beganMs).toBeGreaterThan(2_000);
    const lines = guesser.logs.filter(({ message }) => message === 'wrong token for the admin api');
    expect(lines).toEqual([expect.objectContaining({ level: 'warn', address: '127.0.0.1', attempts: 1 })]);
    expect(JSON.stringify(guesser.logs)).not.toContain('guess"');
    expect((await call(guesser, 'GET /api/nodes')).status).toBe(200);
  });

  it('serves its own description', async () => {
    expect((await call(asked, 'GET /api/openapi.json')).body).toEqual(document);
  });

  it('describes what needs no token, too', async () => {
    expect((await call(asked, 'GET /health', { token: null })).status).toBe(200);
    expect((await call(asked, 'GET /ready', { token: null })).status).toBe(200);
    for (const path of ['/ping', '/metrics']) {
      const response = await fetch(asked.httpUrl + path);
      const described = document.paths[path]!['get']!.responses[response.status] as { content: object };
      expect(Object.keys(described.content)).toEqual([response.headers.get('content-type')!.split(';')[0]]);
      await response.text();
    }
  });

  it('lists the nodes', async () => {
    const client = await cluster.connect(0, 'nina', '');
    const { node } = connected(client);
    const rows = await waitFor(async () => {
      const nodes = (await call(asked, 'GET /api/nodes')).body['nodes'] as Record<string, unknown>[];
      return nodes.some((row) => row['connections'] === 1) && nodes;
    });
    expect(rows).toHaveLength(4);
    expect(rows.filter(({ role }) => role === 'router')).toHaveLength(1);
    expect(rows.find((row) => row['node'] === node)).toEqual({
      node,
      role: 'edge',
      address: `127.0.0.1:${cluster.nodes[0]!.port}`,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      connections: 1,
      users: 1,
      draining: false,
      lag: {},
      partitions: {},
      dead_letters: 0,
      age_p99_ms: null,
    });
    await client.close();
  });

  it('tells where a user is connected, as the command does', async () => {
    const clients = [await cluster.connect(0, 'pia ü/1', ''), await cluster.connect(1, 'pia ü/1', '')];
    const { body } = await call(asked, `GET /api/presence/${encodeURIComponent('pia ü/1') as string}`);
    const { payload } = await clients[0]!.request('presence', { user: 'pia ü/1' });
    const byId = (rows: unknown) =>
      (rows as { connection: string }[]).sort((a, b) => (a.connection < b.connection ? 1 : -1));
    expect(byId(body['connections'])).toEqual(byId((payload as Record<string, unknown>)['connections']));
    expect(
      byId(body['connections'])
        .map(({ connection }) => connection)
        .sort(),
    ).toEqual(clients.map((client) => connected(client).connection).sort());
    expect((await call(asked, 'GET /api/presence/nobody')).body).toEqual({ connections: [] });
    expect((await call(asked, `GET /api/presence/${'x'.repeat(129)}`)).status).toBe(400);
    for (const client of clients) await client.close();
  });

  it('closes one connection, wherever it is, and leaves the others', async () => {
    const [gone, stays] = [await cluster.connect(0, 'quin', ''), await cluster.connect(1, 'quin', '')];
    const { connection } = connected(gone);
    expect(await call(asked, `DELETE /api/connections/${connection}`)).toMatchObject({
      status: 200,
      body: { closed: 1 },
    });
    expect(await gone.closed).toEqual({ code: 4504, reason: 'revoked' });
    expect((await stays.request('ping')).status).toBe('ok');
    for (const id of [connection, 'nonsense', 'no-such-node-1']) {
      const again = await call(asked, `DELETE /api/connections/${id}`);
      expect([again.status, errorCode(again.body)]).toEqual([404, 'unknown_connection']);
    }
    await stays.close();
  });

  it('closes a guest by the id of the connection', async () => {
    const guest = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/web`);
    await guest.next('connected');
    await call(asked, `DELETE /api/connections/${connected(guest).connection}`);
    expect((await guest.closed).code).toBe(4504);
  });

  it('closes all connections of a user', async () => {
    const clients = [await cluster.connect(0, 'rosa', ''), await cluster.connect(1, 'rosa', '')];
    const other = await cluster.connect(1, 'rob', '');
    expect((await call(asked, 'DELETE /api/connections?user=rosa')).body).toEqual({ closed: 2 });
    for (const client of clients) expect(await client.closed).toEqual({ code: 4504, reason: 'revoked' });
    expect((await other.request('ping')).status).toBe('ok');
    expect((await call(asked, 'DELETE /api/connections?user=nobody')).body).toEqual({ closed: 0 });
    expect((await call(asked, 'DELETE /api/connections')).status).toBe(400);
    await other.close();
  });

  it('blocks a user as a record does, and unblocks', async () => {
    const [phone, desk] = [await cluster.connect(0, 'sam', 'user-blocks'), await cluster.connect(1, 'sam', '')];
    const began = Date.now();
    const blocked = await call(asked, 'POST /api/blocks/sam', { body: { reason: 'fraud' } });
    expect(blocked.body).toEqual({ user: 'sam', blocked: true, reason: 'fraud', expires_at: null });
    expect(await phone.next('user-blocks')).toMatchObject({
      type: 'user_block',
      payload: { blocked: true, reason: 'fraud' },
    });
    for (const client of [phone, desk]) expect(await client.closed).toEqual({ code: 4500, reason: 'fraud' });
    expect(Date.now() - began).toBeLessThan(10_000);
    for (const node of [0, 1]) {
      const refused = await WsClient.refused(cluster.url(node, `token=${token('sam')}`));
      expect(refused).toMatchObject({ status: 403, body: { error: { code: 'user_blocked', reason: 'fraud' } } });
    }
    expect((await call(asked, 'DELETE /api/blocks/sam')).body).toEqual({ user: 'sam', blocked: false });
    await (await cluster.connect(0, 'sam', '')).close();
  });

  it('blocks until a time, and refuses what is no time to come', async () => {
    const expiresAt = new Date(Date.now() + 1500).toISOString();
    expect((await call(asked, 'POST /api/blocks/tom', { body: { expires_at: expiresAt } })).body).toMatchObject({
      expires_at: expiresAt,
    });
    expect((await WsClient.refused(cluster.url(0, `token=${token('tom')}`))).body).toMatchObject({
      error: { expires_at: expiresAt },
    });
    const past = await call(asked, 'POST /api/blocks/tom', { body: { expires_at: '2020-01-01T00:00:00Z' } });
    expect(past).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    // That did not lift the block that is there.
    expect((await WsClient.refused(cluster.url(0, `token=${token('tom')}`))).status).toBe(403);
    expect((await call(asked, 'POST /api/blocks/tom', { body: { expires_at: 'tomorrow' } })).status).toBe(400);
    expect((await call(asked, 'POST /api/blocks/tom', { body: '[1]' })).status).toBe(400);
    await waitFor(async () => (await cluster.connect(1, 'tom', '')).close(), { what: 'the block to expire' });
  });

  it('counts dead letters by topic and reason, and shows the newest', async () => {
    await cluster.produce('notifications', { key: 'k', value: 'no json' }, { key: null, value: { payload: 1 } });
    const topic = cluster.kafkaTopic('notifications');
    const listed = async () => (await call(asked, 'GET /api/dead-letters?topic=notifications')).body['dead_letters'];
    await waitFor(async () => ((await listed()) as unknown[]).length === 2);
    expect(await listed()).toMatchObject([
      { topic, reason: 'no_audience', count: 1 },
      { topic, reason: 'not_json', count: 1 },
    ]);
    const shown = await call(asked, 'GET /api/dead-letters?reason=not_json&limit=5');
    expect(shown.body['letters']).toMatchObject([{ topic, reason: 'not_json', key: 'k', value: 'no json' }]);
    for (const query of ['reason=bad', 'limit=0', 'limit=1001', 'limit=x']) {
      const { status, body } = await call(asked, `GET /api/dead-letters?${query}`);
      expect([status, errorCode(body)]).toEqual([400, 'bad_request']);
    }
  });

  it('writes its token into no log', () => {
    for (const node of cluster.nodes) {
      expect(node.output.join('\n')).not.toContain(ADMIN_TOKEN);
    }
    expect(asked.logs.map(({ message }) => message)).toContain('user blocked by the admin api');
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin-client.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;
/** The node that is asked, about its own sockets and those of the other one. */
let asked: GatewayProcess;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN }, logger: { level: 'debug' } };
  cluster = await GatewayCluster.open({
    topics: { notifications: { ack: true } },
    nodes: [{ config }, { role: 'edge', config }, { role: 'edge', config }],
  });
  asked = cluster.nodes[1]!;
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

interface Row {
  readonly connection: string;
  readonly user: string | null;
  readonly [member: string]: unknown;
}

interface Found {
  readonly connections: readonly Row[];
  readonly cursor?: string;
  readonly missing?: readonly string[];
}

async function find(query: string): Promise<Found> {
  return (await call(asked, `GET /api/connections?${query}`)).body as unknown as Found;
}

describe('GET /api/connections', () => {
  it('shows who is connected, wherever, with all that is known of them', async () => {
    const expiresAt = Math.floor(Date.now() / 1000) + 3600;
    const headers = { 'user-agent': 'phone/1.0' };
    const url = cluster.url(0, `token=${token('ann', { exp: expiresAt })}&topics=notifications,user-blocks`);
    const ann = await WsClient.open(url, { headers });
    const { connection, node } = (await ann.next('connected'))['payload'] as { connection: string; node: string };
    ann.send({ rid: 1, command: 'enter', options: { room: 'r1' } });
    await ann.next('enter');
    const guest = await WsClient.open(`${cluster.nodes[1]!.wsUrl}/web`);
    await guest.next('connected');
    await cluster.produce('notifications', record('ann', { n: 1 }));
    await ann.next('notifications');
    const { connections } = await find('user=ann');
    expect(connections).toEqual([
      {
        ...{ connection, node, user: 'ann', endpoint: '/ws', address: '127.0.0.1', agent: 'phone/1.0' },
        ...{ since: expect.any(String), topics: ['notifications', 'user-blocks'], rooms: ['r1'], queued_bytes: 0 },
        positions: expect.objectContaining({ 'notifications/u/ann': { epoch: expect.any(String), offset: 1 } }),
        token_expires_at: new Date(expiresAt * 1000).toISOString(),
      },
    ]);
    expect((await find('topic=user-blocks&endpoint=/ws&address=127.0.0.1')).connections).toEqual(connections);
    const all = await find('');
    expect(new Set(all.connections.map(({ user }) => user))).toEqual(new Set(['ann', null]));
    expect(all.missing).toBeUndefined();
    for (const query of ['user=bob', 'topic=wss', 'endpoint=/mobile', 'address=10.0.0.1', 'slow=true']) {
      expect([query, (await find(query)).connections]).toEqual([query, []]);
    }
    await Promise.all([ann.close(), guest.close()]);
  });

  it('pages through all connections once, while others come and go', async () => {
    const clients = await Promise.all(Array.from({ length: 21 }, (_, n) => cluster.connect(n % 3, `page-${n}`, '')));
    const users: (string | null)[] = [];
    let query = 'limit=4';
    for (;;) {
      const { connections, cursor } = await find(query);
      expect(connections.length).toBeLessThanOrEqual(4);
      users.push(...connections.map(({ user }) => user));
      if (cursor === undefined) break;
      query = `limit=4&cursor=${cursor}`;
      const passing = await cluster.connect(0, 'passing', '');
      await passing.close();
    }
    const lasting = users.filter((user) => user !== 'passing');
    expect(lasting).toHaveLength(clients.length);
    expect(new Set(lasting)).toEqual(new Set(clients.map((_, n) => `page-${n}`)));
    for (const query of ['limit=0', 'limit=1001', 'cursor=%21', 'slow=yes']) {
      expect([query, (await call(asked, `GET /api/connections?${query}`)).status]).toEqual([query, 400]);
    }
    await Promise.all(clients.map((client) => client.close()));
  });

  it('names nodes that do not answer, and does not wait for them', async () => {
    const silent = cluster.nodes[2]!;
    const client = await cluster.connect(2, 'sue', '');
    const [{ node }] = (await find('user=sue')).connections as unknown as [{ node: string }];
    process.kill(silent.pid, 'SIGSTOP');
    try {
      const beganMs = performance.now();
      expect(await find('user=sue')).toEqual({ connections: [], missing: [node] });
      expect(performance.now() - beganMs).toBeLessThan(5000);
    } finally {
      process.kill(silent.pid, 'SIGCONT');
    }
    await waitFor(async () => (await find('user=sue')).connections.length === 1, { what: 'the node to answer again' });
    await client.close();
  });
});

describe('GET /api/history', () => {
  it('answers as the command does', async () => {
    const client = await cluster.connect(0, 'hal', 'notifications');
    await cluster.produce('notifications', ...[1, 2, 3].map((n) => record('hal', { n })));
    await waitFor(() => client.frames.filter(({ event }) => event === 'notifications').length === 3);
    client.send({ rid: 1, command: 'history', options: { topic: 'notifications' } });
    const { payload } = await client.next('history');
    const stream = encodeURIComponent('notifications/u/hal');
    const { body } = await call(asked, `GET /api/history/${stream}`);
    expect(body).toEqual(payload);
    const after = `${body['epoch'] as string}:1`;
    const page = await call(asked, `GET /api/history/${stream}?after=${after}&limit=1`);
    expect(page.body).toMatchObject({ recovered: true, offset: 3, messages: [{ payload: { n: 2 } }] });
    await client.close();
  });

  it('says what is no stream with history', async () => {
    const codes = ['nothing', 'nowhere/u/x', 'hub/h', 'sub/s', 'notifications/x/y'].map(async (stream) => {
      const { status, body } = await call(asked, `GET /api/history/${encodeURIComponent(stream)}`);
      return [status, (body['error'] as { code: string }).code];
    });
    const bad = [400, 'bad_request'];
    expect(await Promise.all(codes)).toEqual([bad, [400, 'unknown_topic'], bad, bad, bad]);
    const stream = encodeURIComponent('notifications/u/hal');
    for (const query of ['after=1', 'after=e:x', 'limit=0', 'limit=x']) {
      expect((await call(asked, `GET /api/history/${stream}?${query}`)).status).toBe(400);
    }
  });
});

describe('blocks', () => {
  it('are listed page by page, and shown one by one', async () => {
    // It came back as `…:00.000Z`, and compared as text it was another time.
    const expires_at = '2099-01-01T00:00:00Z';
    await call(asked, 'POST /api/blocks/b1', { body: { reason: 'fraud' } });
    await call(asked, 'POST /api/blocks/b2', { body: { expires_at } });
    await call(asked, 'POST /api/blocks/b3');
    await call(asked, 'DELETE /api/blocks/b3');
    const b1 = { user: 'b1', reason: 'fraud', expires_at: null };
    const first = (await call(asked, 'GET /api/blocks?limit=1')).body;
    expect(first).toEqual({ blocks: [b1], cursor: expect.any(String) });
    const second = (await call(asked, `GET /api/blocks?cursor=${first['cursor'] as string}`)).body;
    expect(second).toEqual({ blocks: [{ user: 'b2', reason: '', expires_at }] });
    expect((await call(asked, 'GET /api/blocks/b1')).body).toEqual(b1);
    const { status, body } = await call(asked, 'GET /api/blocks/b3');
    expect([status, (body['error'] as { code: string }).code]).toEqual([404, 'not_blocked']);
  });
});

describe('DELETE /api/users', () => {
  it('closes the connections, erases what is kept, and leaves a block', async () => {
    const client = await cluster.connect(0, 'eve', 'notifications');
    await cluster.produce('notifications', record('eve', { n: 1 }), record('eve', { n: 2 }));
    await waitFor(() => client.frames.filter(({ event }) => event === 'notifications').length === 2);
    const frame = client.frames.at(-1)!;
    client.send({ rid: 1, command: 'ack', options: { stream: frame['stream'], offset: 1 } });
    await client.next('ack');
    expect((await call(asked, 'DELETE /api/users/eve')).body).toEqual({ erased: { streams: 1, messages: 2 } });
    expect(await client.closed).toMatchObject({ code: 4504 });
    expect((await call(asked, 'GET /api/presence/eve')).body).toEqual({ connections: [] });
    const position = `${frame['epoch'] as string}:2`;
    const again = await WsClient.open(
      cluster.url(1, `token=${token('eve')}&topics=notifications&recover=notifications:${position}`),
    );
    const { topics } = (await again.next('connected'))['payload'] as { topics: object[] };
    expect(topics).toMatchObject([{ recovered: false, replayed: 0, offset: 0 }]);
    await call(asked, 'POST /api/blocks/eve');
    expect((await call(asked, 'DELETE /api/users/eve')).status).toBe(200);
    expect((await call(asked, 'GET /api/blocks/eve')).status).toBe(200);
  });
});

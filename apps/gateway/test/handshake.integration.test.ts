import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signToken, TEST_SECRET, WsClient, type WsClientOptions } from '@ws-gateway/testkit';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  cluster = await GatewayCluster.open({
    topics: { hidden: { clientVisible: false }, 'public-news': { guests: true } },
    nodes: [
      {
        config: {
          server: { allowedOrigins: ['https://app.example'] },
          limits: { topicsPerConnection: 3, connectionsPerUser: 2 },
        },
      },
    ],
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const now = Math.floor(Date.now() / 1000);
const refused = (path: string, options: WsClientOptions = {}) =>
  WsClient.refused(`${cluster.nodes[0]!.wsUrl}${path}`, options);

describe('a handshake', () => {
  it('answers connected first, with the positions of each topic', async () => {
    const client = await WsClient.open(cluster.url(0, `token=${token('ann')}&topics=notifications,user-blocks`));
    const frame = await client.next();
    expect(frame).toEqual({
      rid: -1,
      event: 'connected',
      status: 'ok',
      payload: {
        connection: expect.any(String),
        node: expect.any(String),
        user: 'ann',
        heartbeat_ms: 25_000,
        reconnect_spread_ms: 2000,
        topics: [
          {
            topic: 'notifications',
            stream: 'notifications/u/ann',
            epoch: expect.any(String),
            offset: 0,
            public: { stream: 'notifications/*', epoch: expect.any(String), offset: 0 },
          },
          { topic: 'user-blocks' },
        ],
      },
    });
    await client.close();
  });

  it.each([
    ['no token', '/ws?topics=notifications', {}, 401, 'token_missing'],
    ['an empty token', '/ws?token=', {}, 401, 'token_missing'],
    ['a broken token', '/ws?token=abc', {}, 401, 'token_invalid'],
    [
      'a token of another secret',
      `/ws?token=${signToken({ sub: 'a' }, 'another secret of length')}`,
      {},
      401,
      'token_invalid',
    ],
    [
      'a token that expired longer ago than clocks may differ',
      `/ws?token=${token('a', { exp: now - 60 })}`,
      {},
      401,
      'token_expired',
    ],
    ['a token that is not valid yet', `/ws?token=${token('a', { nbf: now + 1000 })}`, {}, 401, 'token_invalid'],
    ['a token without sub', `/ws?token=${signToken({}, TEST_SECRET)}`, {}, 401, 'token_invalid'],
    ['a sub with control characters', `/ws?token=${token('a\nb')}`, {}, 401, 'token_invalid'],
    ['an unknown topic', `/ws?token=${token('a')}&topics=nope`, {}, 400, 'unknown_topic'],
    ['a hidden topic', `/ws?token=${token('a')}&topics=hidden`, {}, 400, 'unknown_topic'],
    ['an over-long topic', `/ws?token=${token('a')}&topics=${'n'.repeat(129)}`, {}, 400, 'bad_request'],
    [
      'at most 3 topics per connection, not ',
      `/ws?token=${token('a')}&topics=notifications,wss,user-blocks,balance-updates`,
      {},
      400,
      'bad_request',
    ],
    ['a malformed query', `/ws?token=${token('a')}&topics=%zz`, {}, 400, 'bad_request'],
    [
      'a position that is none',
      `/ws?token=${token('a')}&topics=notifications&recover=notifications`,
      {},
      400,
      'bad_request',
    ],
    [
      'a position of a topic not asked for',
      `/ws?token=${token('a')}&recover=notifications:e1:1`,
      {},
      400,
      'bad_request',
    ],
    [
      'a topic the token does not list',
      `/ws?token=${token('a', { topics: ['wss'] })}&topics=notifications`,
      {},
      403,
      'topic_forbidden',
    ],
    [
      'a foreign origin',
      `/ws?token=${token('a')}`,
      { headers: { origin: 'https://evil.example' } },
      403,
      'origin_forbidden',
    ],
    [
      'a listed origin on another port',
      `/ws?token=${token('a')}`,
      { headers: { origin: 'https://app.example:8443' } },
      403,
      'origin_forbidden',
    ],
    [
      'the origin of a sandboxed page',
      `/ws?token=${token('a')}`,
      { headers: { origin: 'null' } },
      403,
      'origin_forbidden',
    ],
    ['an unknown path', `/nowhere?token=${token('a')}`, {}, 404, 'unknown_endpoint'],
  ])('with %s is refused', async (_, path, options, ...[status, code]) => {
    const answer = await refused(path, options);
    expect(answer).toMatchObject({ status, body: { error: { code, message: expect.any(String) } } });
  });

  it('is let in from a listed origin, and without one: only browsers send it', async () => {
    const open = (headers: Record<string, string>) =>
      WsClient.open(cluster.url(0, `token=${token('origin')}`), { headers });
    for (const headers of [{ origin: 'https://app.example' }, {}]) {
      const client = await open(headers as Record<string, string>);
      await client.next('connected');
      await client.close();
    }
  });

  it('names the known topics when one is unknown', async () => {
    const { body } = await refused(`/ws?token=${token('a')}&topics=nope`);
    const { message } = (body as { error: { message: string } }).error;
    expect(message).toContain('balance-updates');
    expect(message).not.toContain('hidden');
  });

  it('over the limit of a user is refused with Retry-After, and possible again when one has left', async () => {
    const first = await cluster.connect(0, 'max', '');
    await cluster.connect(0, 'max', '');
    const answer = await refused(`/ws?token=${token('max')}`);
    expect(answer).toMatchObject({ status: 429, body: { error: { code: 'too_many_connections' } } });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    await first.close();
    await cluster.connect(0, 'max', '');
  });

  it('takes the token from the header, the query or the subprotocol, the first one present', async () => {
    const open = (query: string, options: WsClientOptions) =>
      WsClient.open(`${cluster.nodes[0]!.wsUrl}/ws?${query}`, options);
    const userOf = async (client: WsClient) => ((await client.next('connected'))['payload'] as { user: string }).user;
    const header = await open(`token=${token('query')}`, { headers: { authorization: `Bearer ${token('header')}` } });
    expect(await userOf(header)).toBe('header');
    expect(await userOf(await open(`t=${token('query-t')}`, {}))).toBe('query-t');
    const protocol = await open('', { protocols: ['bearer', token('protocol')] });
    expect(protocol.protocol).toBe('bearer');
    expect(await userOf(protocol)).toBe('protocol');
    for (const authorization of ['Basic dTpw', 'Bearer'])
      expect(await userOf(await open(`token=${token('query')}`, { headers: { authorization } }))).toBe('query');
    const bad = await refused(`/ws?token=${token('query')}`, { headers: { authorization: 'Bearer nonsense' } });
    expect(bad).toMatchObject({ status: 401, body: { error: { code: 'token_invalid' } } });
  });

  it('carries tokens of nearly 16 kB, in the query or the header', async () => {
    const long = token('long', { pad: 'x'.repeat(11_000) });
    for (const options of [{ headers: { authorization: `Bearer ${long}` } }, {}]) {
      const query = 'headers' in options ? '' : `token=${long}`;
      const client = await WsClient.open(`${cluster.nodes[0]!.wsUrl}/ws?${query}`, options);
      expect(((await client.next('connected'))['payload'] as { user: string }).user).toBe('long');
      await client.close();
    }
  });

  it('is asked for by a plain GET on the endpoint', async () => {
    const answer = await fetch(`${cluster.nodes[0]!.httpUrl}/ws`);
    expect(answer.status).toBe(426);
    expect(await answer.json()).toMatchObject({ error: { code: 'upgrade_required' } });
  });

  it('never leaves a token in the logs', () => {
    expect(cluster.nodes[0]!.output.join('\n')).not.toMatch(/eyJ/);
  });
});

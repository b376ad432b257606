import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor as waitForIt, WsClient, type WsClientOptions } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

// A browser shows a page nothing of an HTTP answer to a handshake: a client that offers wsg.v1 is let in and told.
const OWN = ['wsg.v1'];
const PAYLOAD_BYTES_MAX = 4096;
const READ_TIMEOUT_MS = 1500;

let cluster: GatewayCluster;
/** Answers when a test lets it. */
let application: Server;
let release = Promise.withResolvers<void>();

beforeAll(async () => {
  application = createServer((request, response) => {
    request.resume();
    void release.promise.then(() => response.end('{"user":"late"}'));
  });
  await once(application.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(application.address() as AddressInfo).port}/`;
  cluster = await GatewayCluster.open({
    topics: { hidden: { clientVisible: false } },
    nodes: [
      {
        config: {
          hubs: [{ name: 'lobby' }],
          server: { allowedOrigins: ['https://app.example'], subprotocols: ['v2.json'] },
          limits: { connectionsPerUser: 2 },
        },
      },
      {
        role: 'edge',
        config: {
          auth: { callback: { url, timeout: '30s', cache: '0s' } },
          server: { readTimeout: `${READ_TIMEOUT_MS}ms` },
          limits: { maxPayloadBytes: PAYLOAD_BYTES_MAX },
        },
      },
      { role: 'edge', config: { limits: { connections: 1 } } },
      { role: 'edge', config: { limits: { handshakesPerSecond: 3 } } },
    ],
  });
}, 120_000);
afterAll(async () => {
  release.resolve();
  await cluster?.close();
  application?.close();
}, 60_000);

const now = Math.floor(Date.now() / 1000);
const open = (at: number, path: string, options: WsClientOptions = {}) =>
  WsClient.open(`${cluster.nodes[at]!.wsUrl}${path}`, { protocols: OWN, ...options });

/** The one frame and the close of a handshake that is refused. */
async function told(at: number, path: string, options: WsClientOptions = {}) {
  const client = await open(at, path, options);
  const close = await client.closed;
  expect(client.protocol).toBe('wsg.v1');
  expect(client.frames).toHaveLength(1);
  const { payload, ...frame } = client.frames[0]!;
  expect(frame).toEqual({ rid: -1, event: 'refused', status: 'error' });
  return { ...close, payload: payload as Record<string, unknown> };
}

const waitFor = (what: string, condition: () => boolean | Promise<boolean>) => waitForIt(condition, { what });

async function metric(at: number, series: string): Promise<number> {
  const text = await (await fetch(`${cluster.nodes[at]!.httpUrl}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(`ws_gateway_${series} `));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

describe('a client that offers wsg.v1 and is refused', () => {
  it.each([
    ['without a token', '/ws?topics=notifications', 4601, 'token_missing', 401],
    ['with a broken token', '/ws?token=abc', 4601, 'token_invalid', 401],
    ['with an expired token', `/ws?token=${token('a', { exp: now - 60 })}`, 4010, 'token_expired', 401],
    ['for an unknown topic', `/ws?token=${token('a')}&topics=nope`, 4600, 'unknown_topic', 400],
    ['for a hidden topic', `/ws?token=${token('a')}&topics=hidden`, 4600, 'unknown_topic', 400],
    ['for a malformed query', `/ws?token=${token('a')}&topics=%zz`, 4600, 'bad_request', 400],
    ['for a bad position', `/ws?token=${token('a')}&topics=notifications&recover=x`, 4600, 'bad_request', 400],
    [
      'for a topic its token does not list',
      `/ws?token=${token('a', { topics: ['wss'] })}&topics=notifications`,
      4603,
      'topic_forbidden',
      403,
    ],
    ['for an unknown hub', `/websocket/nowhere?token=${token('a')}`, 4604, 'unknown_hub', 404],
  ])('%s gets one frame and a close that say why', async (_, path, ...[code, reason, http]) => {
    const refused = await told(0, path);
    expect(refused).toMatchObject({ code, reason, payload: { code: reason, http, message: expect.any(String) } });
    expect(refused.payload).not.toHaveProperty('after_ms');
  });

  it('because its user is blocked is told the reason and until when', async () => {
    await cluster.produce('user-blocks', record('hal', { blocked: true, reason: 'fraud' }));
    await waitFor('the block is there', async () => {
      const client = await open(0, `/ws?token=${token('hal')}`);
      await client.next();
      client.terminate();
      return client.frames[0]!['event'] === 'refused';
    });
    expect(await told(0, `/ws?token=${token('hal')}`)).toEqual({
      code: 4500,
      reason: 'fraud',
      payload: {
        code: 'user_blocked',
        message: 'this user is blocked: fraud',
        reason: 'fraud',
        expires_at: null,
        http: 403,
      },
    });
  });

  it('for want of room is told when to come back', async () => {
    const mine = `/ws?token=${token('max')}`;
    const clients = [await open(0, mine), await open(0, mine)];
    for (const client of clients) await client.next('connected');
    const refused = await told(0, mine);
    expect(refused).toMatchObject({ code: 4129, reason: 'too_many_connections', payload: { http: 429 } });
    expect(refused.payload['after_ms']).toBeGreaterThan(0);
    const only = await open(2, mine);
    await only.next('connected');
    const full = await told(2, mine);
    expect(full).toMatchObject({ code: 4203, reason: 'full', payload: { http: 503 } });
    expect(full.payload['after_ms']).toBeGreaterThan(0);
    await Promise.all([...clients, only].map((client) => client.close()));
  });

  it('is counted by code', async () => {
    const series = 'websocket_refusals_total{code="unknown_hub"}';
    const before = await metric(0, series);
    await told(0, `/websocket/elsewhere?token=${token('a')}`);
    expect(await metric(0, series)).toBe(before + 1);
  });
});

describe('what is refused before the upgrade, whatever the client offers', () => {
  const refused = (at: number, path: string, options: WsClientOptions = {}) =>
    WsClient.refused(`${cluster.nodes[at]!.wsUrl}${path}`, { protocols: OWN, ...options });

  it('is a foreign origin, and a path that is no endpoint', async () => {
    const headers = { origin: 'https://evil.example' };
    expect(await refused(0, `/ws?token=${token('a')}`, { headers })).toMatchObject({
      status: 403,
      body: { error: { code: 'origin_forbidden' } },
    });
    expect(await refused(0, `/nowhere?token=${token('a')}`)).toMatchObject({
      status: 404,
      body: { error: { code: 'unknown_endpoint' } },
    });
  });

  it('are more handshakes than the rate allows: also those that would be refused for something else', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => open(3, '/ws')));
    const answers = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(answers.length).toBeGreaterThan(0);
    for (const answer of answers) {
      expect(answer).toMatchObject({ refused: { status: 503, body: { error: { code: 'unavailable' } } } });
    }
    expect(answers.length).toBeLessThan(outcomes.length);
  });

  it('is a list of subprotocols without a known one: the answer names those', async () => {
    const answer = await refused(0, `/ws?token=${token('a')}`, { protocols: ['v1.json', 'x'] });
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    const { message } = (answer.body as { error: { message: string } }).error;
    for (const name of ['wsg.v1', 'bearer', 'v2.json']) expect(message).toContain(name);
  });
});

describe('a client that offers wsg.v1 and may come in', () => {
  it.each([
    ['behind its token', ['bearer', token('ann'), 'wsg.v1']],
    ['before it', ['wsg.v1', 'bearer', token('ann')]],
    ['among others', ['v2.json', 'bearer', token('ann'), 'x', 'wsg.v1']],
  ])('gets it selected, wherever it stands: %s', async (_, protocols) => {
    const client = await open(0, '/ws?topics=notifications', { protocols });
    expect(client.protocol).toBe('wsg.v1');
    expect(await client.next()).toMatchObject({
      event: 'connected',
      payload: { user: 'ann', reconnect_spread_ms: 2000 },
    });
    await client.close();
  });

  it('is answered what it sent before it was admitted, in order, behind connected', async () => {
    release = Promise.withResolvers();
    const client = await open(1, '/ws');
    for (let rid = 1; rid <= 10; rid++) client.send({ rid, command: 'ping' });
    await waitFor('all are under way', async () => (await metric(1, 'websocket_handshakes_in_flight')) === 1);
    release.resolve();
    await client.next(({ rid }) => rid === 10);
    expect(client.frames.map(({ rid }) => rid)).toEqual([-1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(client.frames[0]).toMatchObject({ event: 'connected', payload: { user: 'late' } });
    await client.close();
  });
});

describe('a client that is not admitted yet', () => {
  beforeAll(() => {
    release = Promise.withResolvers();
  });
  const inFlight = (count: number) =>
    waitFor(`${count} are in flight`, async () => (await metric(1, 'websocket_handshakes_in_flight')) === count);

  it('may send one frame of limits.maxPayloadBytes, and not a byte more: 1009', async () => {
    const whole = await open(1, '/ws');
    whole.send('x'.repeat(PAYLOAD_BYTES_MAX));
    const more = await open(1, '/ws');
    more.send('x'.repeat(PAYLOAD_BYTES_MAX - 100));
    more.send('x'.repeat(101));
    expect(await more.closed).toMatchObject({ code: 1009 });
    const many = await open(1, '/ws');
    for (let at = 0; at < PAYLOAD_BYTES_MAX / 10; at++) many.send('');
    expect(await many.closed).toMatchObject({ code: 1009 });
    expect(whole.isOpen).toBe(true);
    // The callback is not over: what the client took of the node it takes until then.
    whole.terminate();
  });

  it('is refused when it takes longer than server.readTimeout', async () => {
    const before = performance.now();
    expect(await told(1, '/ws')).toMatchObject({
      code: 4203,
      reason: 'unavailable',
      payload: { code: 'unavailable', http: 503, after_ms: expect.any(Number) },
    });
    expect(performance.now() - before).toBeGreaterThan(READ_TIMEOUT_MS - 50);
  });

  it('and goes away leaves nothing when it is admitted afterwards', async () => {
    release.resolve();
    await inFlight(0);
    release = Promise.withResolvers();
    const client = await open(1, '/ws');
    await inFlight(1);
    client.terminate();
    release.resolve();
    await inFlight(0);
    expect(await metric(1, 'websocket_active_connections')).toBe(0);
    const observer = await open(0, `/ws?token=${token('observer', { presence: true })}`);
    await observer.next('connected');
    await waitFor('the row is gone', async () => {
      const { payload } = await observer.request('presence', { user: 'late' });
      return JSON.stringify(payload).includes('[]');
    });
    await observer.close();
  });

  it('is refused with 4203 when the node begins to drain', async () => {
    release = Promise.withResolvers();
    const client = await open(1, '/ws');
    await inFlight(1);
    const stopped = cluster.nodes[1]!.stop();
    await waitFor('it drains', () => cluster.nodes[1]!.output.some((line) => line.includes('drain')));
    release.resolve();
    expect(await client.closed).toMatchObject({ code: 4203, reason: 'draining' });
    expect(client.frames).toMatchObject([{ event: 'refused', payload: { code: 'draining', http: 503 } }]);
    await stopped;
  });
});

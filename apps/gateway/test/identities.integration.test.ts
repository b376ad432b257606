import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { signToken, startGateway, TEST_SECRET, uniqueName, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { metric } from './faults/gateway-processes.js';
import { SseClient } from './sse/sse-client.js';

const NEXT_SECRET = 'the-secret-that-replaces-the-one-of-today';
const PARTNER_SECRET = 'a-secret-that-only-the-partner-signs-with';

const seconds = (): number => Math.floor(Date.now() / 1000);

let gateway: GatewayProcess;
let application: Server;
let keys: Server;
const asked: { path: string; query: string; headers: Record<string, string>; address: string }[] = [];

/** Whom the application lets in, by cookie. */
const ANSWERS: Readonly<Record<string, readonly [status: number, body: string]>> = {
  ann: [200, '{"user":"ann","topics":["notifications"]}'],
  unknown: [401, '{}'],
  forbidden: [403, '{"user":"ann"}'],
  broken: [200, '{"user":'],
  nobody: [200, '{"user":""}'],
};

beforeAll(async () => {
  application = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      const told = JSON.parse(body) as (typeof asked)[number];
      asked.push(told);
      const answer = ANSWERS[told.headers['cookie'] ?? ''];
      // The silent one gets no answer at all.
      if (answer !== undefined) response.writeHead(answer[0]).end(answer[1]);
    });
  });
  keys = createServer((_, response) => response.end('{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}'));
  for (const server of [application, keys]) await once(server.listen(0, '127.0.0.1'), 'listening');
  const urlOf = (server: Server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  gateway = await startGateway({
    config: {
      ...{
        role: 'edge',

        kafka: { topics: ['notifications'] },
        redis: { keyPrefix: uniqueName('who') },
      },
      auth: {
        secrets: [NEXT_SECRET],
        issuers: [
          { issuer: 'partner', secret: PARTNER_SECRET },
          { issuer: 'https://keys.example', jwksUrl: urlOf(keys) },
        ],
        callback: { url: urlOf(application), timeout: '500ms' },
      },
    },
  });
}, 90_000);
afterAll(async () => {
  await gateway?.stop();
  for (const server of [application, keys]) {
    server.closeAllConnections();
    server.close();
  }
}, 60_000);

async function userOf(query: string, headers: Record<string, string> = {}): Promise<unknown> {
  const client = await WsClient.open(`${gateway.wsUrl}/ws?${query}`, { headers });
  const { payload } = await client.next('connected');
  await client.close();
  return (payload as { user: unknown }).user;
}

async function refusal(path: string, headers: Record<string, string> = {}): Promise<unknown> {
  const { status, body } = await WsClient.refused(`${gateway.wsUrl}${path}`, { headers });
  return [status, (body as { error: { code: string } }).error.code];
}

describe('tokens', () => {
  it('of each secret are accepted while one replaces the other', async () => {
    for (const secret of [TEST_SECRET, NEXT_SECRET])
      expect(await userOf(`token=${signToken({ sub: 'u1' }, secret)}`)).toBe('u1');
  });

  it('of a listed issuer are accepted under its own key only, of others not at all', async () => {
    expect(await userOf(`token=${signToken({ sub: 'u2', iss: 'partner' }, PARTNER_SECRET)}`)).toBe('u2');
    for (const [claims, secret] of [
      [{ iss: 'partner' }, TEST_SECRET],
      [{}, PARTNER_SECRET],
      [{ iss: 'stranger' }, TEST_SECRET],
    ] as const) {
      const token = signToken({ sub: 'u2', ...claims }, secret);
      expect(await refusal(`/ws?token=${token}`)).toEqual([401, 'token_invalid']);
    }
  });

  it('are forgiven half a minute of clock, and the age of a key set is a series', async () => {
    for (const claims of [{ nbf: seconds() + 20 }, { exp: seconds() - 20 }, { iat: seconds() + 20 }])
      expect(await userOf(`token=${signToken({ sub: 'u1', ...claims }, TEST_SECRET)}`)).toBe('u1');
    for (const [claims, code] of [
      [{ nbf: seconds() + 60 }, 'token_invalid'],
      [{ exp: seconds() - 60 }, 'token_expired'],
    ] as const)
      expect(await refusal(`/ws?token=${signToken({ sub: 'u1', ...claims }, TEST_SECRET)}`)).toEqual([401, code]);
    const age = await metric(gateway, 'auth_key_set_age_seconds{issuer="https://keys.example"}');
    expect(age).toBeGreaterThanOrEqual(0);
    expect(age).toBeLessThan(60);
  });

  it('close an open socket at exp, and not when the tolerance ends', async () => {
    const exp = seconds() + 2;
    const client = await WsClient.open(`${gateway.wsUrl}/ws?token=${signToken({ sub: 'u1', exp }, TEST_SECRET)}`);
    expect((await client.closed).code).toBe(4010);
    expect(seconds()).toBeLessThan(exp + 10);
  });
});

describe('a handshake without a token', () => {
  it('is of whom the application says, with the limits that it sets', async () => {
    const client = await WsClient.open(`${gateway.wsUrl}/ws?topics=notifications&x=1`, { headers: { cookie: 'ann' } });
    expect((await client.next('connected'))['payload']).toMatchObject({ user: 'ann' });
    expect(await client.request('enter', { room: 'lobby' })).toMatchObject({ status: 'ok' });
    await client.close();
    expect(asked.at(-1)).toEqual({
      ...{ path: '/ws', query: 'topics=notifications&x=1', headers: { cookie: 'ann' }, address: '127.0.0.1' },
    });
  });

  it('is refused when the application says so, and unavailable when it says nothing of use', async () => {
    for (const [cookie, expected] of [
      ['unknown', [401, 'token_missing']],
      ['forbidden', [403, 'not_allowed']],
      ['broken', [503, 'unavailable']],
      ['nobody', [503, 'unavailable']],
      ['silent', [503, 'unavailable']],
    ] as const)
      expect([cookie, await refusal('/ws', { cookie })]).toEqual([cookie, expected]);
    expect(await refusal('/web', { cookie: 'forbidden' })).toEqual([403, 'not_allowed']);
  });

  it('over server-sent events is of whom the application says, and refused with the same words', async () => {
    const url = `${gateway.httpUrl}/sse?topics=notifications`;
    const stream = await SseClient.open(url, { cookie: 'ann' });
    const { data } = await stream.next('connected');
    expect(JSON.parse(data)).toMatchObject({ payload: { user: 'ann', topics: [{ topic: 'notifications' }] } });
    expect(asked.at(-1)).toEqual({
      ...{ path: '/sse', query: 'topics=notifications', headers: { cookie: 'ann' }, address: '127.0.0.1' },
    });
    stream.close();
    for (const [cookie, status, code] of [
      ['unknown', 401, 'token_missing'],
      ['forbidden', 403, 'not_allowed'],
      ['broken', 503, 'unavailable'],
      ['nobody', 503, 'unavailable'],
      ['silent', 503, 'unavailable'],
    ] as const) {
      expect([cookie, await SseClient.refused(url, { cookie })]).toMatchObject([cookie, { status, error: { code } }]);
    }
  });

  it('tells of the header Authorization what is no token of the gateway', async () => {
    const headers = { authorization: 'Basic abc', cookie: 'ann' };
    expect(await userOf('y=1', headers)).toBe('ann');
    expect(asked.at(-1)?.headers).toEqual(headers);
  });

  it('is not asked about when there is a token, good or bad', async () => {
    const before = asked.length;
    const headers = { cookie: 'ann' };
    expect(await userOf(`token=${signToken({ sub: 'u1' }, TEST_SECRET)}`, headers)).toBe('u1');
    expect(await refusal('/ws?token=nonsense', headers)).toEqual([401, 'token_invalid']);
    expect(asked).toHaveLength(before);
  });
});

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { AuthConfigError, HttpHandshakeIdentifier } from '../src/index.js';
import { codeOf, NOW_MS } from './keys.js';

const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

const withCookie = (cookie: string) => ({
  ...{ path: '/ws', query: 'topics=a', address: '192.0.2.1' },
  header: (name: string) => ({ cookie, accept: '*/*' })[name] ?? '',
});
const HANDSHAKE = withCookie('sid=1');

let server: Server;
let asked: { method: string; type: string; body: unknown }[];
let respond: (response: ServerResponse) => void;
let time: { ms: number };

beforeEach(async () => {
  asked = [];
  time = { ms: NOW_MS };
  server = createServer((request, response) => void note(request).then(() => respond(response)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function note(request: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
  asked.push({ method: request.method ?? '', type: request.headers['content-type'] ?? '', body });
}

function answers(status: number, body: unknown): void {
  respond = (response) => response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
}

function identifier(options: { timeoutMs?: number; cacheMs?: number } = {}): HttpHandshakeIdentifier {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/who`;
  const deps = { logger: silent, clock: () => time.ms };
  return new HttpHandshakeIdentifier(
    { url, timeoutMs: 3_000, cacheMs: 30_000, headers: ['Authorization', 'Cookie'], ...options },
    deps,
  );
}

describe('the application that is asked about a handshake without a token', () => {
  it('gets path, query, headers and address by POST, and names the user', async () => {
    answers(200, { user: 'u1' });
    const TOLD = { path: '/ws', query: 'topics=a', headers: { cookie: 'sid=1' }, address: '192.0.2.1' };
    expect(await identifier().identify(HANDSHAKE)).toEqual({
      ...{ user: 'u1', expiresAtMs: null, issuedAtMs: NOW_MS, tokenId: null },
      ...{ topics: null, rooms: null, presence: false },
    });
    expect(asked).toEqual([{ method: 'POST', type: 'application/json', body: TOLD }]);
  });

  it('may limit topics, rooms and time', async () => {
    answers(200, { user: 'u1', topics: ['a'], rooms: [], expires_at: '2027-01-01T00:01:00Z' });
    expect(await identifier().identify(HANDSHAKE)).toMatchObject({
      ...{ expiresAtMs: NOW_MS + 60_000, topics: new Set(['a']), rooms: new Set() },
    });
  });

  it('refuses by 401 and 403, whatever the body says, and is asked again each time', async () => {
    const desk = identifier();
    for (const [status, code] of [
      [401, 'token_missing'],
      [403, 'not_allowed'],
    ] as const) {
      answers(status, { user: 'u1' });
      expect(await codeOf(desk.identify(HANDSHAKE))).toBe(code);
      expect(await codeOf(desk.identify(HANDSHAKE))).toBe(code);
    }
    expect(asked).toHaveLength(4);
  });

  // The body was read first: a page of an error that was too long, or never ended, made a refusal a 503.
  it.each<[string, (response: ServerResponse) => void]>([
    ['is longer than any answer may be', (response) => response.end('x'.repeat(200_000))],
    ['never ends', (response) => response.write('x')],
    ['breaks off', (response) => response.write('x', () => response.destroy())],
  ])('refuses by 401 and 403 behind which comes a body that %s', async (_, send) => {
    for (const [status, code] of [
      [401, 'token_missing'],
      [403, 'not_allowed'],
    ] as const) {
      respond = (response) => send(response.writeHead(status, { 'content-length': 200_000 }));
      expect(await codeOf(identifier({ timeoutMs: 20_000 }).identify(HANDSHAKE))).toBe(code);
    }
  });

  it.each<[string, number, unknown]>([
    ['another status', 500, { user: 'u1' }],
    ['a success of another kind', 201, { user: 'u1' }],
    ['no content', 204, ''],
    ['a redirect', 302, { user: 'u1' }],
    ['broken JSON', 200, '{"user":"u1"'],
    ['a list', 200, [{ user: 'u1' }]],
    ['no user', 200, {}],
    ['an empty user', 200, { user: '' }],
    ['a user that is a number', 200, { user: 7 }],
    ['a user with a line break', 200, { user: 'a\nb' }],
    ['topics that are no list', 200, { user: 'u1', topics: 'a' }],
    ['rooms that are no names', 200, { user: 'u1', rooms: ['a b'] }],
    ['topics that are null', 200, { user: 'u1', topics: null }],
    ['an expiry that is no time', 200, { user: 'u1', expires_at: 1_900_000_000 }],
    ['an expiry that is over', 200, { user: 'u1', expires_at: '2026-12-31T23:59:59Z' }],
    ['deep nesting', 200, '['.repeat(60_000)],
    ['a long answer', 200, `{"user":"u1","x":"${'x'.repeat(100_000)}"}`],
  ])('admits nobody by %s: it is unavailable then', async (_, status, body) => {
    answers(status, body);
    expect(await codeOf(identifier().identify(HANDSHAKE))).toBe('VerifierUnavailableError');
  });

  it('admits nobody by silence, and is waited for no longer than the time allowed', async () => {
    respond = () => undefined;
    expect(await codeOf(identifier({ timeoutMs: 100 }).identify(HANDSHAKE))).toBe('VerifierUnavailableError');
  });

  it('is asked once more when a kept connection ended before any answer', async () => {
    answers(200, { user: 'u1' });
    const desk = identifier({ cacheMs: 0 });
    await desk.identify(HANDSHAKE);
    respond = (response) => {
      answers(200, { user: 'u2' });
      response.destroy();
    };
    expect((await desk.identify(HANDSHAKE)).user).toBe('u2');
  });

  it('is remembered for a while, no longer than it says itself, and for the very same handshake only', async () => {
    answers(200, { user: 'u1', expires_at: '2027-01-01T00:00:20Z' });
    const desk = identifier();
    await desk.identify(HANDSHAKE);
    time.ms += 19_000;
    await desk.identify(HANDSHAKE);
    expect(asked).toHaveLength(1);
    await desk.identify(withCookie('sid=2'));
    expect(asked).toHaveLength(2);
    answers(200, { user: 'u1' });
    time.ms += 1_000;
    await desk.identify(HANDSHAKE);
    time.ms += 29_999;
    await desk.identify(HANDSHAKE);
    expect(asked).toHaveLength(3);
    time.ms += 1;
    await desk.identify(HANDSHAKE);
    expect(asked).toHaveLength(4);
  });

  it('is asked once for equal handshakes at the same time', async () => {
    answers(200, { user: 'u1' });
    const desk = identifier();
    const users = await Promise.all(Array.from({ length: 20 }, () => desk.identify({ ...HANDSHAKE })));
    expect(new Set(users.map(({ user }) => user))).toEqual(new Set(['u1']));
    expect(asked).toHaveLength(1);
  });

  it('must have an address', () => {
    const options = { url: 'nonsense', timeoutMs: 1, cacheMs: 1, headers: [] };
    expect(() => new HttpHandshakeIdentifier(options, { logger: silent })).toThrow(AuthConfigError);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpRequest } from '@ws-gateway/core';
import { RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';

let running: Running;
let base: string;

beforeEach(async () => {
  running = await startTransport({ maxBodyBytes: 1000 });
  base = `http://127.0.0.1:${running.port}`;
});

afterEach(() => running.stop());

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

describe('a route', () => {
  it('gets the request as it was sent, also after an await', async () => {
    let seen: HttpRequest | null = null;
    running.transport.route('POST', '/api/publish', async (request) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen = request;
      return {
        status: 201,
        headers: { 'x-made': 'yes' },
        body: JSON.stringify({ got: Buffer.from(await request.body()).toString() }),
      };
    });
    const response = await fetch(`${base}/api/publish?a=1&b=%20`, {
      method: 'POST',
      headers: { Authorization: 'Bearer t', 'X-Case': 'Kept' },
      body: '{"x":"ü"}',
    });
    expect(response.status).toBe(201);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.headers.get('x-made')).toBe('yes');
    expect(await response.json()).toEqual({ got: '{"x":"ü"}' });
    expect(seen).toMatchObject({
      method: 'POST',
      path: '/api/publish',
      query: 'a=1&b=%20',
      params: {},
      remoteAddress: '127.0.0.1',
    });
    expect(seen!.header('authorization')).toBe('Bearer t');
    expect(seen!.header('x-case')).toBe('Kept');
    expect(seen!.header('absent')).toBe('');
  });

  it('may answer at once, with text or bytes, and with its own content type', async () => {
    running.transport.route('GET', '/ping', () => ({
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: 'pong',
    }));
    running.transport.route('GET', '/bytes', () => ({ status: 200, body: Buffer.from('bytes') }));
    const ping = await fetch(`${base}/ping`);
    expect([ping.status, ping.headers.get('content-type'), await ping.text()]).toEqual([200, 'text/plain', 'pong']);
    expect(await (await fetch(`${base}/bytes`)).text()).toBe('bytes');
  });

  it('has named parts, percent-decoded', async () => {
    running.transport.route('GET', '/api/presence/:user', ({ params }) => ({
      status: 200,
      body: JSON.stringify(params),
    }));
    running.transport.route('POST', '/api/nodes/:node/drain', ({ params }) => ({
      status: 200,
      body: JSON.stringify(params),
    }));
    expect(await (await fetch(`${base}/api/presence/a%2Fb%20c`)).json()).toEqual({ user: 'a/b c' });
    expect(await (await fetch(`${base}/api/nodes/n1/drain`, { method: 'POST' })).json()).toEqual({ node: 'n1' });
    expect((await fetch(`${base}/api/presence/`)).status).toBe(404);
    expect((await fetch(`${base}/api/presence/a/b`)).status).toBe(404);
    const malformed = await fetch(`${base}/api/presence/%ff`);
    expect([malformed.status, await codeOf(malformed)]).toEqual([400, 'bad_request']);
  });

  it('takes a body up to maxBodyBytes, whole or chunked, and none', async () => {
    running.transport.route('POST', '/size', async ({ body }) => ({ status: 200, body: `${(await body()).length}` }));
    const post = async (body: string): Promise<string> =>
      (await fetch(`${base}/size`, { method: 'POST', body })).text();
    expect(await post('x'.repeat(1000))).toBe('1000');
    expect(await post('')).toBe('0');

    const raw = new RawClient(running.port);
    raw.request(['POST /size HTTP/1.1', 'Host: x', 'Transfer-Encoding: chunked']);
    for (let part = 0; part < 3; part++) raw.tcp.write('5\r\nhello\r\n');
    raw.tcp.write('0\r\n\r\n');
    expect((await raw.answer()).body).toBe('15');
    await raw.end();
  });

  it('is answered 413 for a larger body, and the connection goes on', async () => {
    running.transport.route('POST', '/size', async ({ body }) => ({ status: 200, body: `${(await body()).length}` }));
    const raw = new RawClient(running.port);
    const large = 'x'.repeat(500_000);
    raw.request(['POST /size HTTP/1.1', 'Host: x', `Content-Length: ${large.length}`], large);
    const refused = await raw.answer();
    expect([refused.status, JSON.parse(refused.body).error.code]).toEqual([413, 'body_too_large']);
    raw.request(['POST /size HTTP/1.1', 'Host: x', 'Content-Length: 3'], 'abc');
    expect((await raw.answer()).body).toBe('3');
    expect(running.errors).toEqual([]);
    await raw.end();
  });

  it('that throws is answered 500 and reported', async () => {
    running.transport.route('GET', '/broken', () => {
      throw new Error('secret detail');
    });
    const response = await fetch(`${base}/broken`);
    expect([response.status, await codeOf(response)]).toEqual([500, 'internal']);
    expect(running.errors).toEqual([new Error('secret detail')]);
  });

  it('is not answered when the client went away, and its body says so', async () => {
    let failure: unknown = null;
    running.transport.route('POST', '/slow', async ({ body }) => {
      await body().catch((error: unknown) => (failure = error));
      return { status: 200, body: '' };
    });
    const raw = new RawClient(running.port);
    raw.request(['POST /slow HTTP/1.1', 'Host: x', 'Content-Length: 10'], 'half');
    await until(() => raw.tcp.bytesWritten > 0, 'the request is on its way');
    raw.tcp.end();
    await until(() => failure !== null, 'the body failed');
    expect(failure).toMatchObject({ name: 'TransportError', code: 'request_aborted' });
    await until(() => running.requests.length === 1, 'the request was reported');
    expect(running.requests).toEqual([{ method: 'POST', route: '/slow', status: 499 }]);
    await raw.end();
  });
});

describe('a path without a route', () => {
  it('is 426 with Upgrade: websocket where a WebSocket is spoken', async () => {
    for (const path of ['/ws', '/web', '/mobile', '/websocket/main']) {
      const raw = new RawClient(running.port);
      raw.request([`GET ${path}?token=x HTTP/1.1`, 'Host: x']);
      const answer = await raw.answer();
      expect([answer.status, answer.headers['upgrade']]).toEqual([426, 'websocket']);
      expect(JSON.parse(answer.body).error.code).toBe('upgrade_required');
      await raw.end();
    }
  });

  it('is 404 unknown_endpoint elsewhere', async () => {
    const response = await fetch(`${base}/nowhere`);
    expect([response.status, response.headers.get('content-type'), await codeOf(response)]).toEqual([
      404,
      'application/json',
      'unknown_endpoint',
    ]);
  });

  it('is 405 with Allow when only the method is wrong', async () => {
    running.transport.route('GET', '/health', () => ({ status: 200, body: '{}' }));
    const post = await fetch(`${base}/health`, { method: 'POST', body: 'x' });
    expect([post.status, post.headers.get('allow'), await codeOf(post)]).toEqual([405, 'GET', 'method_not_allowed']);
    expect((await fetch(`${base}/ws`, { method: 'DELETE' })).headers.get('allow')).toBe('GET');
  });

  it('answers HEAD as GET, without a body', async () => {
    running.transport.route('GET', '/health', () => ({ status: 200, body: '{"a":1}' }));
    const head = await fetch(`${base}/health`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '7', '']);
    expect((await fetch(`${base}/ws`, { method: 'HEAD' })).status).toBe(426);
    const raw = new RawClient(running.port);
    raw.request(['HEAD /nowhere HTTP/1.1', 'Host: x']);
    await until(() => raw.received.includes('\r\n\r\n'), 'the head came');
    expect(raw.received.toString()).toMatch(/^HTTP\/1.1 404 [^]*\r\n\r\n$/);
    await raw.end();
  });
});

it('reports every request under its route, never under what the client made up', async () => {
  running.transport.route('GET', '/api/presence/:user', () => ({ status: 200, body: '[]' }));
  await fetch(`${base}/api/presence/u1`);
  await fetch(`${base}/api/presence/%ff`);
  await fetch(`${base}/made/up`);
  await fetch(`${base}/websocket/made-up`);
  await fetch(`${base}/made/up`, { method: 'PROPFIND' });
  expect(running.requests).toEqual([
    { method: 'GET', route: '/api/presence/:user', status: 200 },
    { method: 'GET', route: '/api/presence/:user', status: 400 },
    { method: 'GET', route: 'unknown', status: 404 },
    { method: 'GET', route: '/websocket', status: 426 },
    { method: 'OTHER', route: 'unknown', status: 404 },
  ]);
});

describe('a request with more than one Content-Length', () => {
  // Two readers of it would take different bytes for the next request.
  it.each([
    ['equal', '2', '2'],
    ['different', '2', '40'],
  ])('is refused with 400, and its connection ends: %s', async (_, first, second) => {
    let handled = 0;
    running.transport.route('POST', '/api/publish', () => ({ status: 200, body: `${++handled}` }));
    const client = new RawClient(running.port);
    const lengths = [`Content-Length: ${first}`, `Content-Length: ${second}`];
    client.request(['POST /api/publish HTTP/1.1', 'Host: localhost', ...lengths], '{}');
    await until(() => client.closed, 'the connection was closed');
    expect(client.received.toString()).toMatch(/^HTTP\/1\.1 400 /);
    expect(handled).toBe(0);
  });
});

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import WS, { WebSocketServer } from 'ws';
import { createClient, type Client, type ClientOptions } from '../src/index.js';

interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

let server: Server;
let url: string;
let client: Client | undefined;
/** Answers to come, first to last; then handshakes are accepted. */
let refusals: Refusal[];
let shown: string[];

beforeEach(async () => {
  refusals = [];
  shown = [];
  server = createServer((_request, response) => void response.writeHead(404).end());
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'bearer' });
  server.on('upgrade', (request, socket, head) => {
    // A client that has seen enough may reset the connection.
    socket.on('error', () => socket.destroy());
    shown.push(request.headers['sec-websocket-protocol'] ?? '');
    const refusal = refusals.shift();
    if (refusal === undefined) {
      sockets.handleUpgrade(request, socket, head, (open) => {
        const payload = { connection: 'c', node: 'n', user: 'ann', heartbeat_ms: 0, topics: [] };
        open.send(JSON.stringify({ rid: -1, event: 'connected', status: 'ok', payload }));
      });
      return;
    }
    const { status, headers = {}, body = '' } = refusal;
    const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers });
    socket.end(`HTTP/1.1 ${status} No\r\n${lines.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n${body}`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
});

afterEach(async () => {
  await client?.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

function open(options: Partial<ClientOptions> = {}): Client {
  client = createClient({
    url,
    token: 'static',
    WebSocket: WS,
    transports: ['websocket'],
    backoff: { baseMs: 1, capMs: 1 },
    ...options,
  });
  return client;
}

const error = (code: string, message: string): string => JSON.stringify({ error: { code, message } });

describe('a refusal that can be seen, with the ws package', () => {
  it.each([
    [400, 'unknown_topic'],
    [403, 'user_blocked'],
    [404, 'unknown_endpoint'],
  ])('%i is the end', async (status, code) => {
    refusals = [{ status, body: error(code, `because of ${code}`) }];
    const { closed } = open();
    expect(await closed).toEqual({
      why: 'refused',
      code: status,
      reason: `because of ${code}`,
      refusal: { code, message: `because of ${code}`, http: status },
    });
    expect(shown).toHaveLength(1);
  });

  it.each([
    ['of the gateway, which may not have the key yet', error('token_invalid', 'the key is not known')],
    ['of a proxy', '<html>401</html>'],
  ])('401 %s asks for new tokens', async (_whose, body) => {
    refusals = [401, 401, 401].map((status) => ({ status, body }));
    let count = 0;
    await open({ token: () => `token-${++count}` }).ready();
    expect(shown).toEqual([1, 2, 3, 4].map((at) => `bearer,token-${at},wsg.v1`));
  });

  it('401 is the end for a token without a callback', async () => {
    refusals = [{ status: 401, body: error('token_expired', 'expired') }];
    expect(await open().closed).toMatchObject({
      why: 'token',
      code: 401,
      reason: 'expired',
      refusal: { code: 'token_expired' },
    });
  });

  it.each([429, 503])('%i is waited out for as long as it asks', async (status) => {
    refusals = [{ status, headers: { 'retry-after': '1' }, body: error('draining', 'going away') }];
    const began = performance.now();
    await open().ready();
    expect(performance.now() - began).toBeGreaterThanOrEqual(995);
  });

  it('by somebody else on the way is tried again', async () => {
    refusals = [
      { status: 404, body: '<html>default backend - 404</html>' },
      { status: 403, body: '<html>WAF</html>' },
      { status: 502, body: '<html>bad gateway</html>' },
      { status: 500, body: 'x'.repeat(100_000) },
    ];
    const reasons: string[] = [];
    open().on('reconnecting', ({ reason }) => void reasons.push(reason));
    await client!.ready();
    expect(reasons).toEqual([404, 403, 502, 500].map((status) => `refused with HTTP ${status}`));
  });
});

describe('a refusal that cannot be seen, with the global WebSocket', () => {
  it('is tried again, up to maxAttempts', async () => {
    refusals = Array.from({ length: 9 }, () => ({ status: 403, body: error('user_blocked', 'no') }));
    const closed = await open({ WebSocket: WebSocket, maxAttempts: 4 }).closed;
    expect(closed).toMatchObject({ why: 'attempts', code: 1006 });
    await waitFor(() => shown.length === 4);
  });

  it('and an address where nobody listens is as good as one', async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const dead = `ws://127.0.0.1:${(probe.address() as AddressInfo).port}/`;
    probe.close();
    await once(probe, 'close');
    for (const socketClass of [WebSocket, WS]) {
      await open({ url: [dead, url], WebSocket: socketClass }).ready();
      await client!.close();
    }
    expect(shown).toHaveLength(2);
  });
});

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { WebSocketServer, type WebSocket } from 'ws';
import { run, start, type Running } from './running.js';

/** One step of a server that does what the test says, one step for each connection. */
type Step = (socket: WebSocket, request: IncomingMessage) => void;

let http: Server;
let port: number;
let steps: (Step | { status: number; body: string })[];
let requests: IncomingMessage[];

beforeEach(async () => {
  steps = [];
  requests = [];
  const sockets = new WebSocketServer({ noServer: true });
  http = createServer();
  http.on('upgrade', (request, socket, head) => {
    requests.push(request);
    const step = steps.shift();
    if (typeof step === 'function')
      return sockets.handleUpgrade(request, socket, head, (client) => step(client, request));
    const { status, body } = step ?? { status: 500, body: '' };
    socket.end(
      `HTTP/1.1 ${status} X\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  ({ port } = http.address() as AddressInfo);
});

let listening: Running | null = null;
afterEach(async () => {
  listening?.child.kill('SIGKILL');
  await listening?.ended;
  listening = null;
  http.closeAllConnections();
  http.close();
});

function listen(...args: string[]): Running {
  listening = start(['listen', `ws://127.0.0.1:${port}/ws`, ...args]);
  return listening;
}

function connected(...topics: unknown[]): string {
  return JSON.stringify({ rid: -1, event: 'connected', status: 'ok', payload: { heartbeat_ms: 25_000, topics } });
}

function push(offset: number): string {
  return JSON.stringify({ rid: -1, event: 'n', status: 'update', payload: {}, stream: 'n/u/u1', epoch: 'e', offset });
}

const recoverOf = (request: IncomingMessage | undefined): string | null =>
  new URL(request?.url ?? '', 'ws://x').searchParams.get('recover');

describe('listen', () => {
  test('sends token and topics, prints one frame a line, and exits 0 at SIGINT', async () => {
    steps.push((socket) => socket.send('{"rid":-1,\n  "payload":{"a":\r\n1.0}}'));
    const client = listen('--token', 'the.token', '--topics', 'a,b/k/X Y');
    expect(await client.line('payload')).toBe('{"rid":-1, "payload":{"a": 1.0}}');
    expect(requests[0]).toMatchObject({
      url: '/ws?topics=a%2Cb&key.b=X+Y',
      headers: { 'sec-websocket-protocol': 'bearer,the.token,wsg.v1' },
    });
    client.child.kill('SIGINT');
    expect(await client.ended).toMatchObject({ code: 0, signal: null });
  });

  test('reconnects and goes on behind the last frame of each stream', async () => {
    steps.push(
      (socket) => {
        socket.send(
          connected({
            topic: 'n',
            stream: 'n/u/u1',
            epoch: 'e',
            offset: 4,
            public: { stream: 'n/*', epoch: 'e', offset: 0 },
          }),
        );
        socket.send(push(5));
        socket.send('{"rid":-1,"event":"reconnect","status":"ok","payload":{"reason":"drain","after_ms":400}}');
        socket.close(4000, 'drain');
      },
      // The server replays three frames, but the network fails after the first of them.
      (socket) => {
        socket.send(connected({ topic: 'n', stream: 'n/u/u1', epoch: 'e', offset: 8, recovered: true, replayed: 3 }));
        socket.send(push(6), () => socket.terminate());
      },
      (socket) => socket.send(connected()),
    );
    const client = listen('--token', 'the.token', '--topics', 'n');
    await waitFor(() => requests.length === 3, { what: 'the third connection' });
    expect(requests.map(recoverOf)).toEqual([null, 'n:e:5,n/*:e:0', 'n:e:6,n/*:e:0']);
    expect(client.stderr()).toMatch(/closed: 4000 drain; again in 0\.\d s/);
    expect(client.stderr()).toMatch(/connection lost; again in \d\.\d s/);
  });

  test('waits out a 503 once it had been connected', async () => {
    steps.push(
      (socket) => socket.close(4003, 'resync'),
      { status: 503, body: '{"error":{"code":"draining","message":"going away"}}' },
      (socket) => socket.send('back'),
    );
    const client = listen();
    expect(await client.line('back')).toBe('back');
    expect(client.stderr()).toContain('going away; again in');
  });

  test.each([
    [401, '{"error":{"code":"token_expired","message":"too late"}}', 'refused: 401 too late'],
    [503, '{"error":{"code":"draining","message":"going away"}}', 'going away'],
    [502, '<html>', 'refused with HTTP 502'],
  ])('a refusal with %d at the first try ends with exit code 1', async (status, body, said) => {
    steps.push({ status, body });
    expect(await listen().ended).toMatchObject({ code: 1, stdout: '', stderr: `ws-gateway: ${said}\n` });
  });

  test.each([
    ['token_expired', 401, 4010, 'refused: 401 too late'],
    ['draining', 503, 4203, 'too late'],
  ])('a refusal over the open socket at the first try ends with exit code 1: %s', async (code, http, close, said) => {
    const payload = { code, message: 'too late', http };
    steps.push((socket) => {
      socket.send(JSON.stringify({ rid: -1, event: 'refused', status: 'error', payload }));
      socket.close(close, code);
    });
    expect(await listen().ended).toMatchObject({ code: 1, stdout: '', stderr: `ws-gateway: ${said}\n` });
    expect(requests[0]!.headers['sec-websocket-protocol']).toBe('wsg.v1');
  });

  test('a close that says "do not reconnect" ends with exit code 1', async () => {
    steps.push((socket) => socket.close(4500, 'fraud'));
    expect(await listen().ended).toMatchObject({ code: 1, stderr: 'ws-gateway: closed: 4500 fraud\n' });
    expect(requests).toHaveLength(1);
  });

  test('a normal close ends with exit code 0', async () => {
    steps.push((socket) => socket.close(1000));
    expect(await listen().ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('nobody there ends with exit code 1', async () => {
    http.close();
    expect(await run(['listen', `ws://127.0.0.1:${port}/ws`])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^ws-gateway: connect ECONNREFUSED/),
    });
  });
});

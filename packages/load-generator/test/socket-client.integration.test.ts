import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { WebSocketServer, type WebSocket } from 'ws';
import { LoadSocket, type SocketListener } from '../src/socket-client.js';
import { signToken } from '../src/token.js';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** Starts a server by somebody else, so that both sides of the protocol are not the same opinion. */
async function startServer(accept: (socket: WebSocket, request: IncomingMessage) => void): Promise<number> {
  const server = createServer();
  const webSockets = new WebSocketServer({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    webSockets.handleUpgrade(request, socket, head, (webSocket) => accept(webSocket, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    for (const client of webSockets.clients) client.terminate();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function open(port: number, token: string): { frames: string[]; closed: Promise<string> } {
  const frames: string[] = [];
  const end = Promise.withResolvers<string>();
  const listener: SocketListener = {
    frame: (_, bytes, { start, end: to }) => frames.push(bytes.toString('utf8', start, to)),
    closed: (_, why) => end.resolve(why),
  };
  const socket = new LoadSocket(0, { host: '127.0.0.1', port, path: '/ws?topics=a', token }, listener);
  ends.push(() => socket.destroy());
  return { frames, closed: end.promise };
}

test('a load client gets all frames, short and long, and answers pings', async () => {
  const port = await startServer((socket) => {
    socket.send('first');
    for (let i = 0; i < 200; i++) socket.send('x'.repeat(i * 10));
    socket.once('pong', (payload: Buffer) => socket.close(4000, `pong ${payload.toString()}`));
    socket.ping('are you there');
  });
  const { frames, closed } = open(port, 't');
  expect(await closed).toBe('close 4000 pong are you there');
  expect(frames).toEqual(['first', ...Array.from({ length: 200 }, (_, i) => 'x'.repeat(i * 10))]);
});

test('many load clients share one read buffer and never see the frames of another', async () => {
  let count = 0;
  const port = await startServer((socket) => {
    const name = `socket ${count++} `;
    for (let i = 0; i < 50; i++) socket.send(name.repeat(100));
    socket.close(1000);
  });
  const clients = Array.from({ length: 40 }, () => open(port, 't'));
  await Promise.all(clients.map(({ closed }) => closed));
  const firsts = clients.map(({ frames }) => frames[0]);
  expect(new Set(firsts).size).toBe(40);
  for (const [i, { frames }] of clients.entries()) expect(frames).toEqual(new Array(50).fill(firsts[i]));
});

test('a load client sends its token and path as given', async () => {
  const port = await startServer((socket, request) => {
    socket.close(4001, `${request.url} ${request.headers.authorization}`.slice(0, 60));
  });
  const token = signToken({ sub: 'u000001' }, 'secret');
  expect(await open(port, token).closed).toBe(`close 4001 ${`/ws?topics=a Bearer ${token}`.slice(0, 60)}`);
});

test('a refused handshake tells the answer', async () => {
  const server = createServer((_, response) => response.writeHead(503).end('{"error":{"code":"draining"}}'));
  server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 503 Busy\r\n\r\n{"error":{"code":"draining"}}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  const { closed } = open((server.address() as AddressInfo).port, 't');
  expect(await closed).toContain('HTTP/1.1 503 Busy  {"error":{"code":"draining"}}');
});

test('a server that is not there is told as such', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  expect(await open(port, 't').closed).toContain('ECONNREFUSED');
});

test('a load client that is refused by a frame is told why, and no frame is counted', async () => {
  const frame = '{"rid":-1,"event":"refused","status":"error","payload":{"code":"full","message":"no","http":503}}';
  const port = await startServer((socket, request) => {
    expect(request.headers['sec-websocket-protocol']).toBe('wsg.v1');
    socket.send(frame);
    socket.close(4203, 'full');
  });
  const { frames, closed } = open(port, 't');
  expect(await closed).toBe(`refused: ${frame}`);
  expect(frames).toEqual([]);
});

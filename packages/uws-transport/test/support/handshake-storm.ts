/**
 * A program of its own: what it is run for may abort the process. Starts a transport, connects to it in one of the ways
 * below, prints one line of JSON. Run as `node --import …/typescript-sources.mjs handshake-storm.ts <mode> [count]`.
 */
import { channel } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { handshakeLines, RawClient } from './raw-client.js';
import { startTransport, until, type Running } from './test-edge.js';

const TEXT = 1;

const modes: Record<string, (running: Running, count: number) => Promise<unknown>> = {
  /** Many handshakes at once, each admitted after a while; every socket then has to answer. */
  async storm(running, count) {
    const { edge, port } = running;
    let asked = 0;
    edge.decide = async (handshake) => {
      await sleep(1 + (asked++ % 5));
      return edge.admitted(handshake);
    };
    edge.onOpened = (connection, socket) => {
      socket.join(`user/${asked}`);
      socket.send(JSON.stringify({ event: 'connected', path: connection.path }));
    };
    edge.onMessage = (connection, text) => connection.socket!.send(`echo ${text}`);
    const clients = Array.from({ length: count }, () => new RawClient(port));
    const results = await Promise.all(clients.map(greets));
    return { echoed: results.filter(Boolean).length, closes: edge.connections.flatMap(({ closes }) => closes) };
  },

  /** An admission that is completed by a microtask of another request's callback, inside the HTTP parser. */
  async 'inside-parser'(running) {
    const { edge, port, transport } = running;
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    edge.decide = async (handshake) => {
      await released;
      return edge.admitted(handshake);
    };
    transport.route('GET', '/release', () => {
      release();
      return { status: 200, body: '"released"' };
    });
    const waiting = new RawClient(port);
    waiting.request(handshakeLines());
    await until(() => edge.handshakes.length === 1, 'the handshake is held');
    const other = new RawClient(port);
    other.request(['GET /release HTTP/1.1', 'Host: x']);
    const statuses = [(await other.answer()).status, (await waiting.answer()).status];
    const third = new RawClient(port);
    third.request(['GET /release HTTP/1.1', 'Host: x']);
    return { statuses: [...statuses, (await third.answer()).status] };
  },

  /** The carrier's loopback connection breaks: handshakes go on, and soon there is a new carrier. */
  async 'carrier-lost'(running, count) {
    const carrier = clientSockets[0]!;
    const reconnected = new Promise<Socket>((resolve) => {
      channel('net.client.socket').subscribe((message) => {
        const { socket } = message as { socket: Socket };
        socket.once('connect', () => {
          if (socket.remotePort !== running.port) resolve(socket);
        });
      });
    });
    carrier.destroy();
    await until(() => carrier.closed, 'the carrier is gone');
    const statuses = [(await new RawClient(running.port).upgrade()).status];
    await reconnected;
    statuses.push((await new RawClient(running.port).upgrade()).status);
    return { statuses, ...((await modes['storm']!(running, count)) as object) };
  },

  /** How long a request may be. `count` is the size of request line and headers together. */
  async headers(running, count) {
    const raw = new RawClient(running.port);
    const empty = handshakeLines('/ws', { Authorization: 'Bearer ' });
    const padding = count - `${empty.join('\r\n')}\r\n\r\n`.length;
    raw.request(handshakeLines('/ws', { Authorization: `Bearer ${'t'.repeat(padding)}` }));
    await until(() => raw.received.length > 0 || raw.closed, 'it was answered');
    return {
      status: Number(raw.received.toString().split(' ')[1]),
      seen: running.edge.handshakes.map((handshake) => handshake.authorization.length),
    };
  },
};

async function greets(client: RawClient): Promise<boolean> {
  await client.upgrade();
  await until(() => client.frames().length === 1 || client.closed, 'the first frame came');
  client.frame(TEXT, 'hi');
  await until(() => client.frames().length === 2 || client.closed, 'the echo came');
  return client.frames()[1]?.payload.toString() === 'echo hi';
}

/** Every TCP connection this process opens; the first one is the carrier's. */
const clientSockets: Socket[] = [];
channel('net.client.socket').subscribe((message) => clientSockets.push((message as { socket: Socket }).socket));

const [mode = '', count = '200'] = process.argv.slice(2);
const running = await startTransport();
const result = await modes[mode]!(running, Number(count));
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);

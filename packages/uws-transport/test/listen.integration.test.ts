import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { TransportError } from '../src/index.js';
import { RawClient } from './support/raw-client.js';
import { makeTransport, startTransport, until } from './support/test-edge.js';
import { WsClient } from './support/ws-client.js';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

function fixture(name: string): string {
  return new URL(`fixtures/${name}`, import.meta.url).pathname;
}

it('rejects with address_in_use for a port that another program has', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => new Promise((resolve) => other.close(resolve)));
  const { port } = other.address() as { port: number };
  const made = makeTransport({ port });
  cleanUps.push(made.stop);
  await expect(made.transport.listen()).rejects.toMatchObject({
    name: 'TransportError',
    code: 'address_in_use',
    message: `port ${port} on 127.0.0.1 is taken by another program`,
  });
});

it('notices another gateway on its port, unless both share it on purpose', async () => {
  const exclusive = await startTransport();
  cleanUps.push(exclusive.stop);
  const second = makeTransport({ port: exclusive.port });
  cleanUps.push(second.stop);
  await expect(second.transport.listen()).rejects.toMatchObject({ code: 'address_in_use' });

  // Any free port is bound without SO_REUSEPORT, so the port of one that is closed again is taken.
  await exclusive.stop();
  const shared = [
    makeTransport({ port: exclusive.port, reusePort: true }),
    makeTransport({ port: exclusive.port, reusePort: true }),
  ];
  for (const { transport, stop } of shared) {
    cleanUps.push(stop);
    expect(await transport.listen()).toEqual({ port: exclusive.port });
  }
});

// A third of 10,000 clients that came back from a dead node waited for a second before their TCP tried again.
it.each([
  ['ws://', {}],
  ['wss://', { tls: { certFile: fixture('localhost.crt'), keyFile: fixture('localhost.key') } }],
])('has room for 1,500 connections that come while the event loop is busy, %s', async (_, options) => {
  const running = await startTransport(options);
  cleanUps.push(running.stop);
  // The loop of this process stands still until the clients have ended, so nothing is accepted meanwhile.
  const clients = [fixture('crowd.mjs'), String(running.port), '1500'];
  const { stdout } = spawnSync(process.execPath, clients);
  expect(String(stdout)).toBe('connected\n');
});

it('gives each of those who share its port a share of the connections', async () => {
  const first = await startTransport({ reusePort: true });
  cleanUps.push(first.stop);
  const second = await startTransport({ reusePort: true, port: first.port });
  cleanUps.push(second.stop);
  const clients = Array.from({ length: 200 }, () => new RawClient(first.port));
  await Promise.all(clients.map((client) => client.upgrade()));
  const shares = [first, second].map(({ edge }) => edge.handshakes.length);
  expect(shares[0]! + shares[1]!).toBe(200);
  // By chance one gets fewer than 50 once in 10^12 runs.
  expect(Math.min(...shares)).toBeGreaterThan(50);
  for (const client of clients) await client.end();
});

it('rejects with cannot_listen for an address that is not of this machine', async () => {
  const made = makeTransport({ host: '192.0.2.1' });
  cleanUps.push(made.stop);
  await expect(made.transport.listen()).rejects.toMatchObject({ code: 'cannot_listen' });
});

it('serves IPv6 and tells the address in its short form', async () => {
  const running = await startTransport({ host: '::' });
  cleanUps.push(running.stop);
  for (const host of ['::1', '127.0.0.1']) {
    const raw = new RawClient(running.port, host);
    expect((await raw.upgrade()).status).toBe(101);
    expect(running.edge.handshakes.at(-1)!.remoteAddress).toBe(host);
    await raw.end();
  }
});

it('keeps open sockets and accepts no new connection after stopListening', async () => {
  const running = await startTransport();
  cleanUps.push(running.stop);
  const ws = await WsClient.open(running.port);
  running.transport.stopListening();
  running.transport.stopListening();
  await expect(WsClient.open(running.port)).rejects.toThrow('the handshake failed');
  running.edge.connections[0]!.socket!.send('still here');
  await until(() => ws.messages.length === 1, 'the open socket is served');
});

it('kills what is left with 1006 at close, each reported once, and may be closed twice', async () => {
  const running = await startTransport();
  const sockets = await Promise.all(Array.from({ length: 5 }, () => WsClient.open(running.port)));
  await running.stop();
  await running.stop();
  for (const ws of sockets) expect((await ws.closed()).code).toBe(1006);
  expect(running.edge.connections.map(({ closes }) => closes)).toEqual(
    Array.from({ length: 5 }, () => [{ code: 1006, reason: '' }]),
  );
  expect(running.edge.connections[0]!.socket!.send('x')).toBe('closed');
  running.transport.publish('c', Buffer.from('x'));
});

it('serves wss:// and https:// with a certificate', async () => {
  const tls = { certFile: fixture('localhost.crt'), keyFile: fixture('localhost.key') };
  const running = await startTransport({ tls });
  cleanUps.push(running.stop);
  running.edge.onOpened = (_, socket) => socket.send('hello');
  running.edge.onMessage = (connection, text) => connection.socket!.send(`echo ${text}`);
  const sockets = await Promise.all(
    Array.from({ length: 50 }, () =>
      WsClient.connect(`wss://127.0.0.1:${running.port}/ws`, { ca: readFileSync(tls.certFile) }),
    ),
  );
  for (const ws of sockets) ws.socket.send('hi');
  for (const ws of sockets) await until(() => ws.messages.length === 2, 'the echo came');
  expect(sockets.map((ws) => ws.messages)).toEqual(sockets.map(() => ['hello', 'echo hi']));
});

it('throws bad_certificate for files it cannot use', () => {
  const tls = { certFile: fixture('localhost.crt'), keyFile: fixture('missing.key') };
  expect(() => makeTransport({ tls })).toThrow(TransportError);
  expect(() => makeTransport({ tls })).toThrow(/cannot use .*localhost.crt with .*missing.key/);
});

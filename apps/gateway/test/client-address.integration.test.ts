import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;

/** Nodes: behind a proxy that writes X-Forwarded-For, behind none, and behind one that speaks the PROXY protocol. */
const [FORWARDED, BARE, PROXY_PROTOCOL] = [0, 1, 2];

beforeAll(async () => {
  const limits = { connectionsPerAddress: 1 };
  const role = 'edge' as const;
  cluster = await GatewayCluster.open({
    nodes: [
      { role, config: { limits, server: { trustProxy: ['127.0.0.0/8'] } } },
      { role, config: { limits } },
      { role, config: { limits, server: { proxyProtocol: true } } },
    ],
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await waitFor(async () => (await Promise.all(cluster.nodes.map(clientCount))).every((count) => count === 0));
});

async function clientCount({ httpUrl }: { httpUrl: string }): Promise<number> {
  const answer = await fetch(`${httpUrl}/health`);
  return ((await answer.json()) as { client_count: number }).client_count;
}

const from = (forwardedFor: string) => ({ headers: { 'x-forwarded-for': forwardedFor } });

async function open(at: number, forwardedFor: string): Promise<void> {
  const client = await WsClient.open(cluster.url(at, `token=${token('ann')}`), from(forwardedFor));
  closing.push(() => client.close());
  await client.next('connected');
}

async function expectRefused(at: number, forwardedFor: string): Promise<void> {
  const refused = await WsClient.refused(cluster.url(at, `token=${token('ann')}`), from(forwardedFor));
  expect(refused).toMatchObject({ status: 429, body: { error: { code: 'too_many_connections' } } });
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
}

describe('limits.connectionsPerAddress', () => {
  it('counts by X-Forwarded-For behind a trusted proxy, whatever the client wrote into it before', async () => {
    await open(FORWARDED, '203.0.113.7');
    await expectRefused(FORWARDED, '203.0.113.7');
    await expectRefused(FORWARDED, '198.51.100.99, 203.0.113.7');
    await open(FORWARDED, '203.0.113.8');
  });

  it('gives the place back when the connection has ended', async () => {
    await open(FORWARDED, '203.0.113.7');
    await closing.pop()!();
    await waitFor(() => open(FORWARDED, '203.0.113.7').then(() => true));
  });

  it('does not believe X-Forwarded-For of anybody else', async () => {
    await open(BARE, '203.0.113.7');
    await expectRefused(BARE, '203.0.113.8');
  });

  it('counts by the PROXY header where it is configured', async () => {
    const [first, again, other] = [
      [203, 0, 113, 7],
      [203, 0, 113, 7],
      [203, 0, 113, 8],
    ].map(proxyHeader);
    expect(await handshake(first!)).toMatch(/^HTTP\/1.1 101 /);
    const refused = await handshake(again!);
    expect(refused).toMatch(/^HTTP\/1.1 429 [^]*retry-after: \d+\r\n[^]*"code":"too_many_connections"/i);
    expect(await handshake(other!)).toMatch(/^HTTP\/1.1 101 /);
  });

  it('takes the peer for the client where a PROXY header comes unasked', async () => {
    await open(BARE, '');
    const { port } = cluster.nodes[BARE]!;
    expect(await handshake(proxyHeader([203, 0, 113, 9]), port)).toMatch(/^HTTP\/1.1 429 /);
  });
});

/** Makes a header of the PROXY protocol, version 2: TCP over IPv4, from this address to somewhere. */
function proxyHeader(source: readonly number[]): Buffer {
  const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
  return Buffer.concat([signature, Buffer.from([0x21, 0x11, 0, 12, ...source, 10, 0, 0, 1, 0x1f, 0x90, 0, 80])]);
}

/** Sends a handshake behind the header. Resolves with the head of an upgrade, or with all of a refusal. */
async function handshake(header: Buffer, port = cluster.nodes[PROXY_PROTOCOL]!.port): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  socket.write(header);
  socket.write(
    [
      `GET /ws?token=${token('ann')} HTTP/1.1`,
      ...['Host: a', 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'],
      ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', ''],
    ].join('\r\n'),
  );
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  await waitFor(() => /^HTTP\/1.1 101 [^]*\r\n\r\n|\}\}$/.test(answer), { what: 'an answer' });
  return answer;
}

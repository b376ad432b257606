import { afterEach, describe, expect, it } from '@jest/globals';
import { handshakeLines, RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';

let running: Running;
afterEach(() => running.stop());

/** More than the kernel's buffers hold. */
const BODY = Buffer.alloc(32 * 1024 * 1024, 'a');

async function startWithBody(writeTimeoutMs: number): Promise<RawClient> {
  running = await startTransport({ writeTimeoutMs });
  running.transport.route('GET', '/big', () => ({ status: 200, body: BODY }));
  return new RawClient(running.port);
}

/** Takes about 64 kB each few milliseconds: with all the time in the world it would have everything. */
function readSlowly({ tcp }: RawClient): void {
  tcp.on('data', () => {
    tcp.pause();
    setTimeout(() => tcp.resume(), 5);
  });
}

describe('an HTTP answer', () => {
  it('reaches a client that takes it in pieces', async () => {
    const raw = await startWithBody(60_000);
    let bytes = 0;
    raw.tcp.removeAllListeners('data');
    raw.tcp.on('data', (chunk) => (bytes += chunk.length));
    raw.request(['GET /big HTTP/1.1', 'Host: a']);
    await until(() => bytes > BODY.length, 'all of it came');
    await raw.end();
  });

  it('is cut off when a client takes longer than writeTimeoutMs to receive it', async () => {
    const raw = await startWithBody(200);
    let bytes = 0;
    raw.tcp.removeAllListeners('data');
    raw.tcp.on('data', (chunk) => (bytes += chunk.length));
    readSlowly(raw);
    raw.request(['GET /big HTTP/1.1', 'Host: a']);
    await until(() => raw.closed, 'the connection was closed', 25_000);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(BODY.length);
  });
});

/** uWebSockets.js's own 10 s, counted from the connection's beginning and looked at every 4 s. */
it('cuts off clients that send a byte a second, wherever in the request they are, and nobody else waits', async () => {
  running = await startTransport();
  running.transport.route('POST', '/api', async ({ body }) => ({ status: 200, body: await body() }));
  const beginnings = [
    'GET /ws?x=',
    `${handshakeLines().join('\r\n')}\r\nX-Slow: `,
    'POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n',
  ];
  const slow = beginnings.map((beginning) => {
    const raw = new RawClient(running.port);
    raw.tcp.write(beginning);
    return raw;
  });
  const drip = setInterval(() => {
    for (const { tcp } of slow) tcp.write('a');
  }, 1000);
  try {
    const other = new RawClient(running.port);
    expect((await other.upgrade()).status).toBe(101);
    await until(() => slow.every(({ closed }) => closed), 'the connections were closed', 40_000);
    expect(other.closed).toBe(false);
    await other.end();
  } finally {
    clearInterval(drip);
  }
  expect(running.edge.handshakes).toHaveLength(1);
}, 60_000);

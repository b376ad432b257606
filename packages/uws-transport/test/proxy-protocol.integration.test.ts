import { afterEach, describe, expect, it } from '@jest/globals';
import type { UwsTransportOptions } from '../src/index.js';
import { localHeader, proxyHeader } from './support/proxy-header.js';
import { handshakeLines, RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';

let running: Running;
afterEach(() => running.stop());

async function start(proxyProtocol: UwsTransportOptions['proxyProtocol']): Promise<void> {
  running = await startTransport({ proxyProtocol });
}

const everybody = () => true;
const forged = proxyHeader([6, 6, 6, 6]);

async function upgradeBehind(header: Buffer): Promise<string> {
  const raw = new RawClient(running.port);
  raw.tcp.write(header);
  expect((await raw.upgrade()).status).toBe(101);
  await raw.end();
  return running.edge.handshakes.at(-1)!.remoteAddress;
}

describe('the address of a handshake behind a proxy that speaks the PROXY protocol', () => {
  it('is the one of the header, IPv4 or IPv6', async () => {
    await start(everybody);
    expect(await upgradeBehind(proxyHeader([203, 0, 113, 7]))).toBe('203.0.113.7');
    const six = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    expect(await upgradeBehind(proxyHeader(six))).toBe('2001:db8::1');
  });

  it('is the peer when it speaks for itself or sends no header', async () => {
    await start(everybody);
    expect(await upgradeBehind(localHeader())).toBe('127.0.0.1');
    expect(await upgradeBehind(Buffer.alloc(0))).toBe('127.0.0.1');
  });

  it('is the peer when its header is not believed, or the protocol is off', async () => {
    await start((peer) => peer === '10.0.0.1');
    expect(await upgradeBehind(forged)).toBe('127.0.0.1');
    await running.stop();
    await start(undefined);
    expect(await upgradeBehind(forged)).toBe('127.0.0.1');
  });

  it('arrives in pieces, too', async () => {
    await start(everybody);
    const raw = new RawClient(running.port);
    raw.tcp.setNoDelay(true);
    const bytes = Buffer.concat([
      proxyHeader([203, 0, 113, 7]),
      Buffer.from(`${handshakeLines().join('\r\n')}\r\n\r\n`),
    ]);
    for (const byte of bytes) {
      raw.tcp.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await raw.answer()).status).toBe(101);
    expect(running.edge.handshakes.at(-1)!.remoteAddress).toBe('203.0.113.7');
    await raw.end();
  });

  /**
   * uWebSockets.js takes a header before each request of a connection: after a first request of any kind the client's
   * own header would have been believed. So there is no second request.
   */
  it.each([
    ['answered', ['GET /health HTTP/1.1', 'Host: a']],
    ['refused', handshakeLines('/ws', { 'Sec-WebSocket-Version': '7' })],
  ])('cannot be changed by the client behind a first request that was %s', async (_, first) => {
    await start(everybody);
    const raw = new RawClient(running.port);
    raw.tcp.write(proxyHeader([203, 0, 113, 7]));
    raw.request(first);
    await raw.answer();
    raw.tcp.write(forged);
    raw.request(handshakeLines());
    await until(() => raw.closed, 'the connection was closed');
    expect(running.edge.handshakes).toEqual([]);
  });

  it('cannot be changed by a second header, or by one behind a request that still waits for its answer', async () => {
    await start(everybody);
    const twice = new RawClient(running.port);
    const handshake = Buffer.from(`${handshakeLines().join('\r\n')}\r\n\r\n`);
    twice.tcp.write(Buffer.concat([proxyHeader([203, 0, 113, 7]), forged, handshake]));
    const pipelined = new RawClient(running.port);
    const get = Buffer.from('GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
    pipelined.tcp.write(Buffer.concat([proxyHeader([203, 0, 113, 7]), get, forged, handshake]));
    await until(() => pipelined.closed || pipelined.received.length > 0, 'the first request was served');
    // A later handshake is the barrier: all of the others' bytes had arrived before.
    expect(await upgradeBehind(proxyHeader([203, 0, 113, 7]))).toBe('203.0.113.7');
    expect(running.edge.handshakes).toHaveLength(1);
    await Promise.all([twice.end(), pipelined.end()]);
  });
});

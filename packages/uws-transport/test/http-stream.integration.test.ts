import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { get as getByTls } from 'node:https';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { HttpStreamClient } from '@ws-gateway/core';
import { RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';

let running: Running;
let client: HttpStreamClient | null;
let drained: number;
let closed: number;

beforeEach(async () => {
  running = await startTransport();
  [client, drained, closed] = [null, 0, 0];
  running.transport.route('GET', '/events', () => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: (opened) => {
      client = opened;
      opened.write('first\n');
      return { drained: () => drained++, closed: () => closed++ };
    },
  }));
});
afterEach(() => running.stop());

const url = () => `http://127.0.0.1:${running.port}/events`;

describe('an answer that is written piece by piece', () => {
  it('arrives as it is written, ends when it is ended, and says so once', async () => {
    const response = await fetch(url());
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toBe('first\n');
    client!.write('second\n');
    expect((await reader.read()).value).toBe('second\n');
    client!.end();
    client!.write('too late');
    expect((await reader.read()).done).toBe(true);
    expect(closed).toBe(1);
  });

  it('tells what a client has not taken, loses none of it, and tells when it has drained', async () => {
    const raw = new RawClient(running.port);
    raw.request(['GET /events HTTP/1.1', 'Host: localhost']);
    await until(() => client !== null, 'the stream was opened');
    raw.tcp.pause();
    const line = `${'x'.repeat(9999)}\n`;
    let written = 0;
    while (client!.bufferedBytes() < 1_000_000) {
      client!.write(line);
      written++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    raw.tcp.resume();
    await until(() => drained > 0 && client!.bufferedBytes() === 0, 'it has drained');
    client!.write('last\n');
    client!.end();
    await until(() => raw.received.toString().endsWith('\r\n0\r\n\r\n'), 'the last chunk came');
    // Without the sizes of the chunks.
    const body = raw.received
      .toString()
      .split('\r\n')
      .slice(1)
      .filter((part) => !/^[0-9a-f]*$/i.test(part))
      .join('');
    expect(body.split('x'.repeat(9999)).length - 1).toBe(written);
    expect(body.endsWith('last\n')).toBe(true);
  });

  // uWebSockets.js keeps what it has taken over and the socket has not, and with a handler for `writable` sends it with the
  // next write only: the end of the last piece came with the next heartbeat.
  it('arrives whole though nothing is written any more when the client reads again', async () => {
    for (const size of [5_000, 12_000, 100_000]) {
      client = null;
      const raw = new RawClient(running.port);
      raw.request(['GET /events HTTP/1.1', 'Host: localhost']);
      await until(() => client !== null, 'the stream was opened');
      raw.tcp.pause();
      let written = 0;
      const before = drained;
      while (client!.bufferedBytes() === 0) {
        client!.write('@'.repeat(size));
        written += size;
        await new Promise((resolve) => setImmediate(resolve));
      }
      raw.tcp.resume();
      await until(() => raw.received.length > written && countOf(raw.received, '@') === written, 'all bytes came');
      expect(drained).toBeGreaterThan(before);
      await raw.end();
    }
  });

  it.each([
    ['plain HTTP', {}],
    ['TLS', { tls: { certFile: fixture('localhost.crt'), keyFile: fixture('localhost.key') } }],
  ])(
    'arrives byte for byte by %s, whatever the sizes of the pieces and the pace of the client',
    async (_, options) => {
      let stream: HttpStreamClient | null = null;
      const own = await startTransport(options);
      own.transport.route('GET', '/bytes', () => ({
        status: 200,
        body: (opened) => {
          stream = opened;
          opened.write('first');
          return { closed: () => undefined };
        },
      }));
      const response = await answerOf(own.port, 'tls' in options);
      const [sent, received] = [createHash('sha256').update('first'), createHash('sha256')];
      response.on('data', (chunk: Buffer) => void received.update(chunk));
      for (let at = 0; at < 400; at++) {
        const piece = randomBytes([1, 700, 11_999, 12_288, 12_289, 24_577, 100_000][at % 7]!);
        sent.update(piece);
        stream!.write(piece);
        if (at === 20) response.pause();
        if (at === 300) response.resume();
        if (at % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      stream!.end();
      await once(response, 'end');
      expect(received.digest('hex')).toBe(sent.digest('hex'));
      await own.stop();
    },
    30_000,
  );

  // uWebSockets.js itself ends the connection of whoever takes nothing for 10 s.
  it('waits for a client that takes nothing for longer than uWebSockets.js would', async () => {
    const raw = new RawClient(running.port);
    raw.request(['GET /events HTTP/1.1', 'Host: localhost']);
    await until(() => client !== null, 'the stream was opened');
    raw.tcp.pause();
    while (client!.bufferedBytes() === 0) {
      client!.write('z'.repeat(12_000));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    expect(closed).toBe(0);
    client!.end();
    await until(() => closed === 1, 'the end of a client that does not take the rest', 30_000);
  }, 60_000);

  it('ends with the client that goes away', async () => {
    const raw = new RawClient(running.port);
    raw.request(['GET /events HTTP/1.1', 'Host: localhost']);
    await until(() => client !== null, 'the stream was opened');
    await raw.end();
    await until(() => closed === 1, 'the end was told');
    client!.write('nobody hears this');
    client!.end();
    expect([closed, running.errors]).toEqual([1, []]);
  });

  it('is not begun for a request for the head', async () => {
    const response = await fetch(url(), { method: 'HEAD' });
    expect([response.status, await response.text(), client]).toEqual([200, '', null]);
  });
});

function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

async function answerOf(port: number, tls: boolean): Promise<IncomingMessage> {
  const options = { port, path: '/bytes', rejectUnauthorized: false };
  const asked = tls ? getByTls({ ...options, agent: false }) : get({ ...options, agent: false });
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

function countOf(bytes: Buffer, letter: string): number {
  const code = letter.charCodeAt(0);
  let count = 0;
  for (const byte of bytes) if (byte === code) count++;
  return count;
}

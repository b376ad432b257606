import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, testRedisUrl, TEST_SECRET, uniqueName, waitFor } from '@ws-gateway/testkit';
import { WebSocket } from 'ws';
import { configFile, run, start, type Running } from './cli/running.js';
import { token } from './gateway-cluster.js';

const FIXTURES = new URL('../../../packages/uws-transport/test/fixtures/', import.meta.url);
const certFile = fileURLToPath(new URL('localhost.crt', FIXTURES));
const keyFile = fileURLToPath(new URL('localhost.key', FIXTURES));
const ca = readFileSync(certFile);

let running: Running | null = null;
afterEach(async () => {
  running?.child.kill('SIGTERM');
  await running?.ended;
  running = null;
});

async function config(tls: object, server: object = {}, more: object = {}): Promise<{ port: number; file: string }> {
  const port = await freePort();
  const drain = { duration: '100ms', deadline: '10s' };
  const file = configFile({
    server: { host: '127.0.0.1', port, tls, drain, ...server },
    ...{ role: 'edge', grpc: { enabled: false }, auth: { secret: TEST_SECRET } },
    redis: { addr: new URL(testRedisUrl()).host, keyPrefix: uniqueName('tls') },
    ...more,
  });
  return { port, file };
}

async function readyPort(server: object = {}): Promise<number> {
  const { port, file } = await config({ certFile, keyFile }, server);
  running = start(['serve', '-c', file]);
  await waitFor(async () => (await statusOf(`https://127.0.0.1:${port}/ready`)) === 200, { timeoutMs: 25_000 });
  return port;
}

async function statusOf(url: string): Promise<number | undefined> {
  const [answer] = (await once(get(url, { ca, agent: false }), 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode;
}

describe('server.tls', () => {
  it('serves wss:// and https:// to whoever trusts the certificate, and to nobody without TLS', async () => {
    const port = await readyPort();
    const url = `//127.0.0.1:${port}/ws?token=${token('ann')}&topics=notifications`;
    const socket = new WebSocket(`wss:${url}`, { ca });
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(JSON.parse(data.toString())).toMatchObject({ event: 'connected', payload: { user: 'ann' } });
    socket.close();
    await once(socket, 'close');
    await expect(once(new WebSocket(`wss:${url}`), 'open')).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    await expect(once(new WebSocket(`ws:${url}`), 'open')).rejects.toThrow();
  });

  it('is shared by workers', async () => {
    const port = await readyPort({ workers: 2 });
    expect(await statusOf(`https://127.0.0.1:${port}/health`)).toBe(200);
  }, 60_000);

  it.each([
    [
      'a file that is not there',
      { certFile, keyFile: '/nowhere/key.pem' },
      'server.tls.keyFile: cannot read /nowhere/key.pem',
    ],
    ['a certificate without its key', { certFile }, 'server.tls.keyFile: missing: certFile needs its key'],
    [
      'files that are no certificate',
      { certFile: keyFile, keyFile },
      `server.tls: cannot use ${keyFile} with ${keyFile}`,
    ],
    [
      'files of gRPC that are no certificate',
      { certFile, keyFile },
      `grpc.tls: cannot use ${keyFile} with ${keyFile}`,
      { grpc: { port: 0, tls: { certFile: keyFile, keyFile } } },
    ],
  ])('with %s is an error of the configuration', async (_, tls, message, more: object = {}) => {
    const { file } = await config(tls, {}, more);
    expect(await run(['serve', '-c', file])).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  });
});

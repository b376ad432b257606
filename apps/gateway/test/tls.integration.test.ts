import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort, testRedisUrl, TEST_SECRET, uniqueName, waitFor } from '@ws-gateway/testkit';
import { generate } from 'selfsigned';
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

  // Fails when the port is closed and opened again for a certificate, and when files are read once only.
  it('takes over a renewed certificate by itself, while handshakes go on and sockets stay', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wsg-certificates-'));
    const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') };
    const write = async (name: string): Promise<string> => {
      const altNames = [{ type: 7 as const, ip: '127.0.0.1' }];
      const made = await generate([{ name: 'commonName', value: name }], {
        ...{ keyType: 'ec', algorithm: 'sha256', extensions: [{ name: 'subjectAltName', altNames }] },
      });
      // One after the other, as most tools do.
      writeFileSync(files.certFile, made.cert);
      writeFileSync(files.keyFile, made.private);
      return made.cert;
    };
    const first = await write('first');
    const { port, file } = await config(files);
    running = start(['serve', '-c', file]);
    await running.line('"listening"');
    const url = `wss://127.0.0.1:${port}/ws?token=${token('ann')}`;
    const connect = async (ca: string[]): Promise<{ socket: WebSocket; name: string }> => {
      const socket = new WebSocket(url, { ca });
      // Both reject when the handshake is refused.
      const [[upgraded]] = await Promise.all([
        once(socket, 'upgrade') as Promise<[IncomingMessage]>,
        once(socket, 'open'),
      ]);
      const name = (upgraded.socket as TLSSocket).getPeerCertificate().subject.CN;
      return { socket, name: String(name) };
    };
    await waitFor(() => connect([first]).then(({ socket }) => (socket.close(), true)), { timeoutMs: 25_000 });
    const early = await connect([first]);
    const second = await write('second');
    const refusals: unknown[] = [];
    const refused = (error: unknown): never => {
      refusals.push(error);
      throw error;
    };
    const names = await waitFor(
      async () => {
        const some = await Promise.all(Array.from({ length: 10 }, () => connect([first, second]).catch(refused)));
        for (const { socket } of some) socket.close();
        return some.every(({ name }) => name === 'second') ? some.map(({ name }) => name) : null;
      },
      { timeoutMs: 20_000, what: 'the second certificate' },
    );
    expect(refusals).toEqual([]);
    expect([early.name, ...new Set(names)]).toEqual(['first', 'second']);
    early.socket.send('{"rid":1,"command":"ping"}');
    const [answer] = (await once(early.socket, 'message')) as [Buffer];
    expect(JSON.parse(answer.toString())).toMatchObject({ rid: 1, status: 'ok' });
    early.socket.close();
    rmSync(folder, { recursive: true });
  }, 60_000);

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

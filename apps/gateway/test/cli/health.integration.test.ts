import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { freePort, startGateway, type GatewayProcess } from '@ws-gateway/testkit';
import { configFile, run, start } from './running.js';

const FIXTURES = new URL('../../../../packages/uws-transport/test/fixtures/', import.meta.url);
const tls = {
  certFile: fileURLToPath(new URL('localhost.crt', FIXTURES)),
  keyFile: fileURLToPath(new URL('localhost.key', FIXTURES)),
};

let gateway: GatewayProcess | null = null;
afterEach(async () => {
  await gateway?.stop();
  gateway = null;
});

async function healthOf(pid: number): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return run(['health', '--pid', String(pid)]);
}

describe('health', () => {
  test.each([
    ['on the default host', { server: { host: '::' } }],
    ['on IPv6 only', { server: { host: '::1' } }],
    ['with workers', { server: { workers: 2 } }],
    ['with gRPC beside it', { grpc: { enabled: true, port: 0, host: '127.0.0.1' }, hubs: [] }],
  ])('asks a process %s, whatever its configuration says', async (_, config) => {
    const isReachable = !JSON.stringify(config).includes('::1');
    const port = await freePort();
    if (isReachable) {
      gateway = await startGateway({ port, config: { role: 'edge', server: { port }, ...config }, ready: false });
      expect(await healthOf(gateway.pid)).toMatchObject({ code: 0, stdout: expect.stringContaining('client_count') });
      return;
    }
    const file = configFile({ role: 'edge', engine: 'redis', grpc: { enabled: false }, server: { port, host: '::1' } });
    const running = start(['serve', '-c', file], { env: { JWT_SECRET: 'a-secret-that-is-long-enough-for-a-test' } });
    await running.line('"listening"');
    expect(await healthOf(running.child.pid!)).toMatchObject({ code: 0 });
    running.child.kill('SIGTERM');
    await running.ended;
  });

  test('asks over TLS without looking at the name, and on the port of operators where there is one', async () => {
    const [port, ops] = [await freePort(), await freePort()];
    const file = configFile({
      ...{ role: 'edge', grpc: { enabled: false }, server: { port, tls }, ops: { port: ops } },
    });
    const running = start(['serve', '-c', file], { env: { JWT_SECRET: 'a-secret-that-is-long-enough-for-a-test' } });
    await running.line('"listening"');
    expect(await healthOf(running.child.pid!)).toMatchObject({ code: 0 });
    for (const path of ['/health', '/ready', '/ping', '/metrics']) {
      expect((await fetch(`http://127.0.0.1:${ops}${path}`)).status).not.toBe(404);
      expect((await fetch(`http://[::1]:${ops}${path}`)).status).not.toBe(404);
    }
    // On the port of the clients they are no paths any more.
    const { get } = await import('node:https');
    const status = await new Promise((resolve) =>
      get({ host: '127.0.0.1', port, path: '/metrics', rejectUnauthorized: false }, (answer) =>
        resolve(answer.resume().statusCode),
      ),
    );
    expect(status).toBe(404);
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  test('does not wait for a port that never answers', async () => {
    const port = await freePort();
    const grpc = { enabled: true, port: 0, host: '127.0.0.1' };
    gateway = await startGateway({ port, config: { role: 'edge', server: { port }, grpc }, ready: false });
    const begin = performance.now();
    expect(await healthOf(gateway.pid)).toMatchObject({ code: 0 });
    // The image's HEALTHCHECK waits so long.
    expect(performance.now() - begin).toBeLessThan(5000);
  });

  test('exits with 1 when the process listens nowhere', async () => {
    const idle = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)'], { stdio: 'ignore' });
    try {
      expect(await healthOf(idle.pid!)).toMatchObject({ code: 1, stderr: expect.stringContaining('listens nowhere') });
    } finally {
      idle.kill();
    }
  });
});

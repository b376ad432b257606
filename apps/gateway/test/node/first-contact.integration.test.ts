import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { freePort, testRedisUrl, TEST_SECRET } from '@ws-gateway/testkit';
import { configFile, start, type Running } from '../cli/running.js';

let running: Running | null = null;
let server: Server | null = null;
afterEach(async () => {
  running?.child.kill('SIGKILL');
  await running?.ended;
  server?.close();
  server = null;
});

type Line = Readonly<Record<string, string>>;

/** The lines of the log of a gateway with these servers, until there is one with each of the texts. */
async function linesOf(servers: { redis: object; kafka: object }, ...texts: string[]): Promise<Line[]> {
  const file = configFile({
    server: { host: '127.0.0.1', port: await freePort() },
    ...{ auth: { secret: TEST_SECRET }, grpc: { enabled: false }, ...servers },
  });
  running = start(['serve', '-c', file]);
  for (const text of texts) await running.line(text);
  const lines = running.stdout().split('\n').filter(Boolean);
  expect(running.stderr()).toBe('');
  return lines.map((line) => JSON.parse(line) as Line);
}

function unreachable(lines: readonly Line[]): Line[] {
  const named = lines.filter(({ message }) => message!.endsWith('cannot be reached'));
  for (const { timestamp } of named)
    expect(Date.parse(timestamp!) - Date.parse(lines[0]!['timestamp']!)).toBeLessThan(1000);
  return named;
}

// Fails when only the drivers speak: ioredis says "Connection is closed." after ten seconds, and of Kafka nobody speaks
// as long as Redis is away.
describe('a server that cannot be reached at the start', () => {
  test('is named with address and cause, Kafka and Redis each for itself', async () => {
    const port = await freePort();
    const servers = {
      redis: { addr: 'nosuchredis.invalid:6379' },
      kafka: { bootstrapServers: `127.0.0.1:${port}` },
    };
    const named = unreachable(await linesOf(servers, 'redis cannot be reached', 'kafka cannot be reached'));
    expect(named).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          ...{
            message: 'redis cannot be reached',
            address: 'nosuchredis.invalid:6379',
            cause: expect.stringContaining('ENOTFOUND'),
          },
        }),
        expect.objectContaining({
          ...{
            message: 'kafka cannot be reached',
            address: `127.0.0.1:${port}`,
            cause: expect.stringContaining('ECONNREFUSED'),
          },
        }),
      ]),
    );
  });

  test.each([
    ['a password that is wrong or not wanted', { password: 'no' }, /WRONGPASS|AUTH/],
    ['TLS towards a server without it', { tls: true }, /^TLS: /],
  ])('%s is a cause, too', async (_, redis, cause) => {
    const addr = new URL(testRedisUrl()).host;
    const servers = { redis: { addr, ...redis }, kafka: { topics: [] } };
    const [named] = unreachable(await linesOf(servers, 'redis cannot be reached'));
    expect(named).toMatchObject({ address: addr, cause: expect.stringMatching(cause) });
  });

  test('so is silence', async () => {
    const silent = (server = createServer((socket) => socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const addr = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const [named] = unreachable(await linesOf({ redis: { addr }, kafka: { topics: [] } }, 'redis cannot be reached'));
    expect(named).toMatchObject({ address: addr, cause: expect.stringContaining('ETIMEDOUT') });
  });
});

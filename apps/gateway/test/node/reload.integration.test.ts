import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  freePort,
  signToken,
  startGateway,
  TEST_SECRET,
  testBrokers,
  testRedisUrl,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';

const OTHER_SECRET = 'another-secret-that-is-long-enough-to-use';

let folder: string;
let gateway: GatewayProcess | null = null;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'wsg-reload-'))));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  await gateway?.stop();
  gateway = null;
});

type Section = Readonly<Record<string, unknown>>;

/** A gateway whose configuration file can be written again. */
async function reloadable(server: Section = {}, more: Readonly<Record<string, Section>> = {}) {
  const port = await freePort();
  const file = join(folder, `${uniqueName('config')}.yaml`);
  const base: Record<string, Section> = {
    server: { host: '127.0.0.1', port, drain: { duration: '100ms', deadline: '10s' }, ...server },
    kafka: { bootstrapServers: testBrokers() },
    redis: { addr: new URL(testRedisUrl()).host, keyPrefix: uniqueName('reload') },
    auth: { secret: TEST_SECRET },
    grpc: { enabled: false },
    ...more,
  };
  const write = (changes: Readonly<Record<string, unknown>>): void => {
    const sections = Object.entries(changes).map(([name, section]) => [
      name,
      { ...base[name], ...(section as Section) },
    ]);
    writeFileSync(file, JSON.stringify({ ...base, role: 'edge', ...Object.fromEntries(sections) }));
  };
  write({});
  const started = (gateway = await startGateway({ file, port }));
  const reload = async (
    changes: Readonly<Record<string, unknown>>,
    message = 'configuration reloaded',
  ): Promise<Section> => {
    const before = started.logs.length;
    write(changes);
    process.kill(started.pid, 'SIGHUP');
    return waitFor(() => started.logs.slice(before).find((line) => line['message'] === message), { what: message });
  };
  return { started, reload };
}

function token(secret = TEST_SECRET): string {
  return signToken({ sub: 'u1' }, secret);
}

async function statusOf(url: string, headers: Record<string, string> = {}): Promise<number> {
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const key = { 'sec-websocket-key': Buffer.alloc(16).toString('base64') };
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request(url.replace(/^ws/, 'http'), { headers: { ...upgrade, ...key, ...headers }, agent: false });
    asked.on('response', (answer) => resolve(answer.resume().statusCode ?? 0));
    asked.on('upgrade', (_, socket) => {
      socket.destroy();
      resolve(101);
    });
    asked.on('error', reject);
    asked.end();
  });
}

describe('SIGHUP', () => {
  it('takes over limits, origins and the log level, names what waits for a restart, and keeps open sockets', async () => {
    const { started, reload } = await reloadable();
    const url = `${started.wsUrl}/ws?token=${token()}`;
    const client = await WsClient.open(url);
    await client.next('connected');
    const line = await reload({
      ...{ limits: { connectionsPerUser: 1 }, logger: { level: 'debug' }, metrics: { namespace: 'other' } },
      server: { allowedOrigins: ['https://app.example'] },
    });
    expect(line).toMatchObject({ waiting: ['metrics.namespace'] });
    expect([...(line['changed'] as string[])].sort()).toEqual([
      'limits.connectionsPerUser',
      'logger.level',
      'server.allowedOrigins',
    ]);
    expect(await statusOf(url)).toBe(429);
    expect(await statusOf(url, { origin: 'https://elsewhere.example' })).toBe(403);
    client.send({ rid: 1, command: 'ping' });
    expect(await client.next('ping')).toMatchObject({ status: 'ok' });
    await client.close();
  });

  it('takes over other secrets: new handshakes need them, sockets of the former one stay', async () => {
    const { started, reload } = await reloadable();
    const url = (secret: string): string => `${started.wsUrl}/ws?token=${token(secret)}`;
    const client = await WsClient.open(url(TEST_SECRET));
    await client.next('connected');
    await reload({ auth: { secret: OTHER_SECRET, secrets: [TEST_SECRET] } });
    expect([await statusOf(url(TEST_SECRET)), await statusOf(url(OTHER_SECRET))]).toEqual([101, 101]);
    await reload({ auth: { secret: OTHER_SECRET } });
    expect([await statusOf(url(TEST_SECRET)), await statusOf(url(OTHER_SECRET))]).toEqual([401, 101]);
    client.send({ rid: 1, command: 'ping' });
    expect(await client.next('ping')).toMatchObject({ status: 'ok' });
    await client.close();
  });

  it('takes over another admin token at once', async () => {
    const { started, reload } = await reloadable({}, { admin: { token: 'first-admin-token' } });
    const asked = async (secret: string): Promise<number> => {
      const headers = { authorization: `Bearer ${secret}` };
      return (await fetch(`${started.httpUrl}/api/nodes`, { headers })).status;
    };
    expect(await asked('first-admin-token')).toBe(200);
    await reload({ admin: { token: 'second-admin-token', tokens: { alice: 'token-of-alice' } } });
    expect([await asked('first-admin-token'), await asked('second-admin-token')]).toEqual([401, 200]);
    expect(await asked('token-of-alice')).toBe(200);
    await reload({ admin: { readOnlyTokens: { alice: 'token-of-alice' } } });
    expect(await asked('token-of-alice')).toBe(200);
  });

  it('opens the admin API to nobody when its token is taken away, and again when one is given', async () => {
    const { started, reload } = await reloadable({}, { admin: { token: 'first-admin-token' } });
    const asked = async (authorization: string): Promise<number> =>
      (await fetch(`${started.httpUrl}/api/nodes`, { headers: { authorization } })).status;
    await reload({ admin: { token: '' } });
    for (const authorization of ['', 'Bearer', 'Bearer ', 'Bearer first-admin-token']) {
      expect([authorization, await asked(authorization)]).toEqual([authorization, 404]);
    }
    await reload({ admin: { token: 'second-admin-token' } });
    expect([await asked('Bearer'), await asked('Bearer second-admin-token')]).toEqual([401, 200]);
  });

  it('changes nothing when a file of keys holds none, and names its key', async () => {
    const { started, reload } = await reloadable();
    const publicKeyFile = join(folder, 'no-key.pem');
    writeFileSync(publicKeyFile, 'no key');
    const issuers = [{ issuer: 'https://id.example', publicKeyFile, algorithms: ['RS256'] }];
    const line = await reload(
      { limits: { connectionsPerUser: 1 }, auth: { secret: OTHER_SECRET, issuers } },
      'configuration not reloaded, it has problems',
    );
    expect(line['problems']).toEqual([expect.stringMatching(/^auth\.issuers\[0\]\.publicKeyFile: .*no-key\.pem/)]);
    const client = await WsClient.open(`${started.wsUrl}/ws?token=${token()}`);
    expect(await statusOf(`${started.wsUrl}/ws?token=${token()}`)).toBe(101);
    await client.close();
  });

  // The process that starts the workers took it over: each of them refused it, and those that it started again ended.
  it('changes nothing in any worker when a file of keys holds none', async () => {
    const { started, reload } = await reloadable({ workers: 2 });
    const publicKeyFile = join(folder, 'no-key-of-workers.pem');
    writeFileSync(publicKeyFile, 'no key');
    const issuers = [{ issuer: 'https://id.example', publicKeyFile, algorithms: ['RS256'] }];
    await reload(
      { logger: { level: 'debug' }, limits: { connectionsPerUser: 1 }, auth: { secret: OTHER_SECRET, issuers } },
      'configuration not reloaded, it has problems',
    );
    const before = started.logs.length;
    const { pid } = started.logs.find(({ message }) => message === 'worker listens')!;
    process.kill(pid as number, 'SIGKILL');
    await waitFor(() => started.logs.slice(before).some(({ message }) => message === 'worker listens'), {
      ...{ timeoutMs: 20_000, what: 'another worker' },
    });
    const said = (wanted: string) => started.logs.filter(({ message }) => message === wanted).length;
    expect([said('configuration not reloaded, it has problems'), said('configuration reloaded')]).toEqual([1, 0]);
    await waitFor(async () => (await statusOf(`${started.wsUrl}/ws?token=${token()}`)) === 101, {
      what: 'a handshake',
    });
  }, 60_000);

  it('changes nothing when the file is wrong, and says where', async () => {
    const { started, reload } = await reloadable();
    const line = await reload(
      { limits: { connectionsPerUser: 'one' }, auth: { secret: OTHER_SECRET } },
      'configuration not reloaded, it has problems',
    );
    expect(line['problems']).toEqual([expect.stringMatching(/^limits\.connectionsPerUser: .*config.*:1:\d+\)$/)]);
    expect(await statusOf(`${started.wsUrl}/ws?token=${token()}`)).toBe(101);
  });

  it('reaches all workers, and does not end them when it reaches the whole group of processes', async () => {
    const { started, reload } = await reloadable({ workers: 2 });
    await reload({ limits: { connectionsPerUser: 5 } });
    const reloaded = (): number => started.logs.filter(({ message }) => message === 'configuration reloaded').length;
    // The two workers and the process that started them.
    await waitFor(() => reloaded() === 3, { what: 'all to have reloaded' });
    for (const { pid } of started.logs.filter(({ message }) => message === 'worker listens')) {
      process.kill(pid as number, 'SIGHUP');
    }
    await reload({ limits: { connectionsPerUser: 6 } });
    await waitFor(() => reloaded() === 6, { what: 'all to have reloaded again' });
    expect(started.logs.some(({ message }) => message === 'worker ended')).toBe(false);
  });
});

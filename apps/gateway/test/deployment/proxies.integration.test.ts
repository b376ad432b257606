import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  findProgram,
  freePort,
  startGateway,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';
import { SseClient } from '../sse/sse-client.js';

/** The configurations of docs/deploying.md, as they stand there but for the ports. */
const PAGE = readFileSync(new URL('../../../../docs/deploying.md', import.meta.url), 'utf8');

let gateway: GatewayProcess;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ws-gateway-proxy-'));
  gateway = await startGateway({
    config: {
      role: 'edge',
      kafka: { topics: ['notifications'] },
      redis: { keyPrefix: uniqueName('proxy') },
      server: { trustProxy: ['127.0.0.1'] },
      limits: { connectionsPerAddress: 1 },
    },
  });
}, 90_000);
afterAll(async () => {
  await gateway?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

function configuration(language: string, port: number): string {
  const text = new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(PAGE)?.[1];
  if (text === undefined) throw new Error(`docs/deploying.md has no ${language}`);
  return text.replaceAll('127.0.0.1:8080', `127.0.0.1:${gateway.port}`).replaceAll(':8000', `:${port}`);
}

/** What a raw connection to the gateway hears, up to its end. */
async function said(request: string): Promise<string> {
  const socket = connect(gateway.port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk) => (heard += chunk.toString()));
  socket.write(request);
  await once(socket, 'close');
  return heard;
}

const PROXIES = [
  { name: 'nginx', args: (file: string) => ['-c', file, '-p', folder, '-g', 'daemon off; pid nginx.pid;'] },
  { name: 'haproxy', args: (file: string) => ['-f', file, '-db'] },
];

describe.each(PROXIES)('behind $name, as docs/deploying.md has it', ({ name, args }) => {
  const program = findProgram([name], name);
  const behind = program === null ? it.skip : it;
  let proxy: ChildProcess | null = null;
  let at: string;

  beforeAll(async () => {
    if (program === null) return;
    const port = await freePort();
    const file = join(folder, `${name}.conf`);
    await writeFile(file, configuration(name, port));
    proxy = spawn(program, args(file), { stdio: ['ignore', 'ignore', 'inherit'] });
    at = `127.0.0.1:${port}`;
    await waitFor(async () => (await fetch(`http://${at}/ws`)).status === 426, { what: name });
  }, 400_000);
  afterAll(async () => {
    if (proxy === null || proxy.exitCode !== null) return;
    proxy.kill('SIGTERM');
    await once(proxy, 'exit');
  }, 30_000);

  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
  const open = (path: string, options = {}) => WsClient.open(`ws://${at}${path}`, options);

  behind('clients get in, with long tokens, by any subprotocol, and are answered', async () => {
    const long = token('ann', { pad: 'x'.repeat(8000) });
    const client = await open(`/ws?token=${long}&topics=notifications`, { protocols: ['wsg.v1'] });
    expect(await client.next()).toMatchObject({ event: 'connected', payload: { user: 'ann' } });
    expect(await client.request('ping')).toMatchObject({ status: 'ok' });
    await client.close();
  });

  behind('they are told why they are refused', async () => {
    const told = await open('/ws', { protocols: ['wsg.v1'] });
    expect(await told.closed).toEqual({ code: 4601, reason: 'token_missing' });
    expect((await WsClient.refused(`ws://${at}/ws`)).status).toBe(401);
  });

  behind('each has its own address', async () => {
    const path = `/ws?token=${token('bob')}`;
    const first = await open(path, from('203.0.113.1'));
    const other = await open(path, from('203.0.113.2'));
    expect((await WsClient.refused(`ws://${at}${path}`, from('203.0.113.1'))).status).toBe(429);
    await Promise.all([first.close(), other.close()]);
  });

  behind('events come one by one', async () => {
    const events = await SseClient.open(`http://${at}/sse?token=${token('cat')}&topics=notifications`);
    await waitFor(() => events.events.length === 1, { what: 'connected' });
    events.close();
  });

  behind('what is for operators stays inside', async () => {
    expect((await fetch(`http://${at}/metrics`)).status).toBe(404);
  });
});

describe('what docs/deploying.md says of HTTP', () => {
  it('HTTP/1.0 is answered 505, and the connection ends', async () => {
    expect(await said('GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 505 /);
  });

  it('a request that comes before the answer to the one before it ends the connection', async () => {
    const request = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
    expect((await said(request + request)).match(/HTTP\/1\.1 200/g) ?? []).toHaveLength(0);
  });
});

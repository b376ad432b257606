import { once } from 'node:events';
import { connect } from 'node:net';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, signToken, startRedis, testBrokers, uniqueName, waitFor, WsClient } from '@ws-gateway/testkit';
import { configFile, start, type Running } from './cli/running.js';
import { notify } from './grpc-client.js';

/** Secrets, long and random enough that nine of their characters in a row are nothing else. */
const secrets = {
  jwt: 'jwt-5dQm1XwT9bVtYk3RzPpLq8NsHcWd7KfM',
  admin: 'adm-Wq7ZrK2mTtXv4JdBf9LnYs6GhC',
  grpc: 'grp-Nb6VxQ1sDk8RyMw3TzHp5JfLgC',
  redis: 'red-Kf4WmZ9xPq2TbVr7LsNd6YhJcG',
  sasl: 'sas-Hj8YtB3nXw5QzLm1VdRk9PfScT',
  backend: 'bck-Tz2RmV7qLx4WnKd8YbJs1HfPgC',
  loki: 'lok-Vb6TzN3qWx8RmJd1KpYs5LhGfC',
  link: 'lnk-Xp9LdQ5tNw1VzRk6MbYh3JsFcG',
};
const now = Math.floor(Date.now() / 1000);
const sign = (claims: object, secret = secrets.jwt) => signToken({ sub: 'ann', ...claims }, secret);
const tokens = {
  good: sign({ sid: 1 }),
  expired: sign({ exp: now - 60 }),
  early: sign({ nbf: now + 3600 }),
  foreign: sign({ sid: 2 }, 'a secret that nobody here knows'),
  nameless: sign({ sub: '' }),
  restricted: sign({ topics: ['wss'] }),
  // This is no JWT at all, but perhaps somebody's session key.
  opaque: 'opq.Rw3TmK8xQz5LbVn1YdJp7HsFcG',
};

let redis: Awaited<ReturnType<typeof startRedis>>;
let backend: Server;
let running: Running;
let url: string;
let grpcPort: number;
/** Everything that came back over HTTP and in frames. */
const answers: string[] = [];

beforeAll(async () => {
  redis = await startRedis();
  await redisCommand(`CONFIG SET requirepass ${secrets.redis}`);
  backend = createServer((_, response) => response.writeHead(500).end('broken'));
  backend.listen(0, '127.0.0.1');
  await once(backend, 'listening');
  const nobody = await freePort();
  const port = await freePort();
  url = `127.0.0.1:${port}`;
  grpcPort = await freePort();
  const failing = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const config = {
    server: { host: '127.0.0.1', port, allowedOrigins: ['https://app.example'], drain: { duration: '100ms' } },
    // The broker of the tests speaks no SASL: every attempt fails.
    kafka: {
      ...{ bootstrapServers: testBrokers(), groupId: uniqueName('secrets') },
      sasl: { mechanism: 'plain', username: 'gateway', password: secrets.sasl },
    },
    redis: { addr: redis.address, password: secrets.redis },
    auth: { secret: secrets.jwt },
    grpc: { enabled: true, port: grpcPort, token: secrets.grpc },
    hubs: [],
    admin: { token: secrets.admin },
    backends: {
      http: {
        notification: { url: `http://127.0.0.1:${nobody}/away` },
        user: { url: failing },
        schedule: { url: `http://service:${secrets.backend}@127.0.0.1:${nobody}/schedules` },
      },
      ws: [{ name: 'game', url: `ws://service:${secrets.link}@127.0.0.1:${nobody}/?key=${secrets.link}` }],
    },
    commands: { getSchedules: { backend: 'schedule' } },
    logger: { level: 'debug', loki: { url: `http://service:${secrets.loki}@127.0.0.1:${nobody}/loki/api/v1/push` } },
  };
  running = start(['serve', '-c', configFile(config)]);
  await running.line('"listening"');
  await waitFor(async () => (await get('/ready')) === '{"status":"unready","failing":["kafka"]}', {
    timeoutMs: 30_000,
  });
}, 90_000);
afterAll(async () => {
  running?.child.kill('SIGKILL');
  backend?.close();
  await redis?.stop();
}, 60_000);

async function redisCommand(inline: string): Promise<void> {
  const socket = connect(redis.port, '127.0.0.1');
  socket.write(`${inline}\r\n`);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(reply.toString()).toBe('+OK\r\n');
}

async function get(path: string, headers: Record<string, string> = {}, init: RequestInit = {}): Promise<string> {
  const answer = await fetch(`http://${url}${path}`, { headers, ...init });
  const text = await answer.text();
  answers.push([...answer.headers].join('\n'), text);
  return text;
}

async function refused(path: string, options: Parameters<typeof WsClient.refused>[1] = {}): Promise<void> {
  const refusal = await WsClient.refused(`ws://${url}${path}`, options);
  answers.push(JSON.stringify(refusal));
}

describe('secrets', () => {
  it('are used in refusals, commands, calls and failures', async () => {
    for (const token of Object.values(tokens)) {
      const authorization = `Bearer ${token}`;
      await refused(`/nowhere?token=${token}`);
      await refused(`/ws?token=${token}&topics=nope,notifications`);
      await refused(`/ws?token=${token}&topics=notifications&recover=x`, { headers: { authorization } });
      await refused('/ws?topics=nope', { protocols: ['bearer', token] });
      await refused(`/ws?t=${token}`, { headers: { origin: 'https://evil.example' } });
      for (const path of [`/ws?token=${token}`, `/api/nodes?token=${token}`, `/${token}`]) {
        await get(path, { authorization });
      }
    }
    await get(`/ws?token=${'x'.repeat(20_000)}${tokens.good}`).catch(() => 'closed');
  });

  it('are used by a client', async () => {
    const client = await WsClient.open(`ws://${url}/mobile?token=${tokens.good}`);
    await client.next('connected');
    for (const authToken of Object.values(tokens)) await client.request('authentication', { authToken });
    await client.request('authentication', { authToken: tokens.good, update: true });
    const where = { from: 1, to: 2, timezone: 'UTC' };
    for (const [command, options] of [
      ['getMyNotifications', { params: {}, where: { types: ['a'] } }],
      ['getSchedules', { where }],
    ] as const) {
      expect((await client.request(command, options))['status']).not.toBe('ok');
    }
    answers.push(...client.texts);
    // A token stands where a name belongs: its sender is told the name, but nobody else.
    await client.request('subscribe', { topics: [tokens.good] });
    await client.request(tokens.good);
    await client.request('enter', { room: `${tokens.good}!` });
    client.send(`{"rid": ${tokens.good}}`);
    await client.next('error');
    const piped = await WsClient.open(`ws://${url}/game?token=${tokens.good}`);
    piped.send(tokens.good);
    await piped.close();
    answers.push(...piped.texts);
    await client.close();
  });

  it('are used by backends and operators', async () => {
    const request = { type: 'TYPE_INFO', entityId: '1' };
    await notify(grpcPort, 'Broadcast', request, { token: secrets.grpc });
    for (const bearer of ['', `${secrets.grpc}x`, secrets.jwt]) {
      await notify(grpcPort, 'Broadcast', request, { token: bearer }).catch((error: unknown) =>
        answers.push(String(error)),
      );
    }
    for (const token of [secrets.admin, `${secrets.admin}x`, tokens.good]) {
      const authorization = `Bearer ${token}`;
      await get('/api/nodes', { authorization });
      await get('/api/presence/ann', { authorization });
      await get('/api/publish', { authorization }, { method: 'POST', body: tokens.good });
      await get(`/api/connections/${tokens.good}`, { authorization }, { method: 'DELETE' });
    }
  });

  it('are used when Redis refuses and goes away', async () => {
    const admin = { authorization: `Bearer ${secrets.admin}` };
    const client = await WsClient.open(`ws://${url}/ws?token=${tokens.good}`);
    await client.next('connected');
    await redis.kill();
    await waitFor(async () => (await get('/ready')).includes('redis'), { timeoutMs: 20_000 });
    await refused(`/ws?token=${tokens.good}`);
    await get('/api/presence/ann', admin);
    answers.push(...client.texts);
    client.terminate();
    await get('/metrics');
    running.child.kill('SIGTERM');
    await running.ended;
  }, 60_000);

  it('appear nowhere: not in logs, errors, answers or metrics', async () => {
    const { stdout, stderr } = await running.ended;
    // Everything that was to happen has happened, and was logged as far as it ever is.
    for (const said of ['sasl', 'engine', 'backend cannot be reached', 'ECONNREFUSED', '"level":"debug"']) {
      expect(stdout.toLowerCase()).toContain(said.toLowerCase());
    }
    for (const code of [
      'token_expired',
      'token_invalid',
      'backend_error',
      'UNAUTHENTICATED',
      'unavailable',
      'ws_gateway_',
    ]) {
      expect(answers.join('\n')).toContain(code);
    }
    const places = { stdout, stderr, answers: answers.join('\n') };
    for (const [place, text] of Object.entries(places)) {
      for (const [name, secret] of Object.entries(secrets)) expectNothingOf(secret, text, `${name} in ${place}`);
      for (const [name, token] of Object.entries(tokens)) {
        expectNothingOf(token.split('.').at(-1)!, text, `signature of ${name} in ${place}`);
      }
    }
  });
});

/** Checks for the secret as it is, and as SASL and Basic send it. */
function expectNothingOf(secret: string, text: string, what: string): void {
  for (let at = 0; at + 9 <= secret.length; at++) {
    const part = secret.slice(at, at + 9);
    const found = text.indexOf(part);
    if (found !== -1) throw new Error(`${what}: ${text.slice(Math.max(0, found - 300), found + 100)}`);
  }
  expect(text).not.toContain(Buffer.from(`service:${secret}`).toString('base64'));
}

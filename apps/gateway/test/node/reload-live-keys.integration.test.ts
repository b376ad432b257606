import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createTopics,
  freePort,
  produce,
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
import { schema } from '../../src/config/schema/schema.js';
import type { LiveFor, Section as AnySection } from '../../src/config/language/schema-node.js';
import { metric } from '../faults/gateway-processes.js';

/**
 * What an open socket, or the next handshake for what is about those, sees of a new value of a live key. The last test
 * holds the list of all live keys against the schema.
 */
let folder: string;
let gateway: GatewayProcess;
let write: (changes: Changes) => void;
const topic = uniqueName('live-keys');
const other = uniqueName('live-keys');
const backend = createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"notifications":[]}');
});

const LIVE_TOPIC = { kafkaTopic: topic, ttl: 0, history: { size: 10 }, queueBytes: '64mb' };

type Section = Readonly<Record<string, unknown>>;
type Changes = Readonly<Record<string, Section>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-live-'));
  await createTopics([topic, other], 1);
  await once(backend.listen(0, '127.0.0.1'), 'listening');
  const backendUrl = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
  const file = join(folder, 'config.yaml');
  const port = await freePort();
  const base: Record<string, Section> = {
    server: { host: '127.0.0.1', port, drain: { duration: '100ms', deadline: '10s' } },
    kafka: { bootstrapServers: testBrokers(), groupId: topic, topics: ['live', 'other'] },
    redis: { addr: new URL(testRedisUrl()).host, keyPrefix: topic },
    auth: { secret: TEST_SECRET },
    topics: { live: LIVE_TOPIC, other: { kafkaTopic: other } },
    backends: { http: { notification: { url: backendUrl } } },
    rooms: { history: { size: 50 } },
    grpc: { enabled: false },
  };
  write = (changes) => {
    const sections = Object.entries(changes).map(([name, section]) => [name, { ...base[name], ...section }] as const);
    writeFileSync(file, JSON.stringify({ ...base, ...Object.fromEntries(sections) }));
  };
  write({});
  gateway = await startGateway({ file, port });
}, 90_000);
afterEach(() => reload({}));
afterAll(async () => {
  await gateway?.stop();
  backend.close();
  rmSync(folder, { recursive: true });
});

/** Gives the node another configuration; resolves when it has taken that over. */
async function reload(changes: Changes): Promise<void> {
  const before = gateway.logs.length;
  write(changes);
  process.kill(gateway.pid, 'SIGHUP');
  const taken = () => gateway.logs.slice(before).some(({ message }) => message === 'configuration reloaded');
  await waitFor(taken, { what: 'the node to take the configuration over' });
}

async function open(user = uniqueName('u'), path = '/ws?topics=live&'): Promise<WsClient> {
  const client = await WsClient.open(
    `${gateway.wsUrl}${path}token=${signToken({ sub: user, rooms: ['a', 'b'] }, TEST_SECRET)}`,
  );
  await client.next('connected');
  return client;
}

/** Has the user told these numbers, each in a message of 2 kB; resolves when a socket of theirs has them all. */
async function say(client: WsClient, user: string, numbers: readonly number[]): Promise<void> {
  const text = 'x'.repeat(2048);
  await produce(
    topic,
    numbers.map((n) => ({ key: user, value: { user_id: user, payload: { n, text } } })),
  );
  for (const _ of numbers) await client.next('live');
}

/** Sends the user large messages, which nobody reads, until the metric is above that. */
async function sayUntil(user: string, name: string, above: number): Promise<void> {
  const value = { user_id: user, payload: 'x'.repeat(200_000) };
  await waitFor(
    async () => {
      await produce(topic, [{ key: user, value }]);
      return (await metric(gateway, name)) > above;
    },
    { what: name },
  );
}

let rid = 0;
async function ask(client: WsClient, command: string, options: object = {}): Promise<Section> {
  client.send({ rid: ++rid, command, options });
  const mine = rid;
  return (await client.next((frame: Section) => frame['rid'] === mine)) as Section;
}

/** Key of `limits`, a value that bites, and what an open socket does then; its last answer says this. */
const onOpenSockets: readonly (readonly [string, unknown, (client: WsClient) => Promise<Section>, string])[] = [
  ['requestsPerSecond', 1, (client) => atOnce(client, 'ping', {}), 'rate_limited'],
  ['requestBytesPerSecond', 40, (client) => atOnce(client, 'ping', {}), 'rate_limited'],
  ['topicsPerConnection', 1, (client) => ask(client, 'subscribe', { topics: ['other'] }), 'at most 1 topics'],
  ['roomsPerConnection', 1, (client) => inTurn(client, 'enter', [{ room: 'a' }, { room: 'b' }]), 'at most 1 rooms'],
  ['subscriptionsPerConnection', 1, (client) => inTurn(client, 'getMyNotifications', [of('a'), of('b')]), 'at most 1 '],
  ['surveysPerSecond', 1, askForMembers, 'at most 1 questions'],
  ['sendsPerSecond', 1, (client) => atOnce(client, 'send', toHub), 'at most 1 sends'],
  ['historyBytes', '4kb', (client) => ask(client, 'history', { topic: 'live' }), '"more":true'],
];

async function askForMembers(client: WsClient): Promise<Section> {
  await ask(client, 'enter', { room: 'a' });
  return atOnce(client, 'presence', { room: 'a' });
}

const toHub = { to: { hub: 'main' }, payload: 1 };
const of = (type: string): object => ({ where: { types: [type] }, params: { limit: 1, skip: 0, sort: 'createdAt' } });

async function inTurn(client: WsClient, command: string, options: readonly object[]): Promise<Section> {
  let last: Section = {};
  for (const one of options) last = await ask(client, command, one);
  return last;
}

/** Sends a command four times without waiting, so that how fast the machine is does not matter to what is a second's worth. */
async function atOnce(client: WsClient, command: string, options: object): Promise<Section> {
  const from = client.frames.length;
  for (let n = 0; n < 4; n++) client.send({ rid: ++rid, command, options });
  await waitFor(() => client.frames.length >= from + 4, { what: 'four answers' });
  return { answers: client.frames.slice(from) };
}

describe('A live key that SIGHUP changes acts', () => {
  it.each(onOpenSockets)('on sockets that are open: limits.%s', async (key, value, act, expected) => {
    const user = uniqueName('u');
    const path = key === 'sendsPerSecond' ? '/websocket/main?' : '/ws?topics=live&';
    const [before, client] = [await open(user, path), await open(user, path)];
    if (key === 'historyBytes') await say(client, user, [1, 2, 3]);
    expect(JSON.stringify(await act(before))).not.toContain(expected);
    await reload({ limits: { [key]: value } });
    expect(JSON.stringify(await act(client))).toContain(expected);
    await Promise.all([before.close(), client.close()]);
  });

  it('on sockets that are open: limits.badRequests', async () => {
    const client = await open();
    expect(await ask(client, 'no-such-command')).toMatchObject({ status: 'error' });
    await reload({ limits: { badRequests: 2 } });
    client.send({ rid: ++rid, command: 'no-such-command' });
    expect(await client.closed).toMatchObject({ code: 4502 });
  });

  it('on sockets that are open: limits.maxLifetime', async () => {
    const client = await open();
    await reload({ limits: { maxLifetime: '1s' } });
    expect(await client.closed).toMatchObject({ code: 4002 });
  });

  // The queue of a socket that was slow already kept the bound and the policy of its first frame.
  it('on sockets that are open, slow ones too: topics.<name>.slow and queueBytes', async () => {
    const user = uniqueName('u');
    const client = await open(user);
    const [waiting, conflated, closed] = [
      'websocket_message_buffer_size',
      'slow_consumer_actions_total{policy="conflate"}',
      'slow_consumer_actions_total{policy="queue"}',
    ] as const;
    // Read before the reload: what was on its way then may be the message that its new bound closes the socket for.
    const [waitingBefore, conflatedBefore, closedBefore] = await Promise.all([
      metric(gateway, waiting),
      metric(gateway, conflated),
      metric(gateway, closed),
    ]);
    client.pause();
    await sayUntil(user, waiting, waitingBefore);
    await reload({ topics: { live: { ...LIVE_TOPIC, slow: 'conflate' } } });
    await sayUntil(user, conflated, conflatedBefore);
    await reload({ topics: { live: { ...LIVE_TOPIC, queueBytes: '1kb' } } });
    await sayUntil(user, closed, closedBefore);
    client.resume();
    expect([4001, 1006]).toContain((await client.closed).code);
  }, 60_000);

  it('on the subscriptions of open sockets: topics.<name>.ttl', async () => {
    const user = uniqueName('u');
    const url = `${gateway.wsUrl}/ws?token=${signToken({ sub: user }, TEST_SECRET)}&topics=live`;
    const client = await WsClient.open(url);
    await client.next('connected');
    const old = { user_id: user, payload: 'old' };
    const anHourAgo = Date.now() - 3_600_000;
    await produce(topic, [{ key: user, value: old, timestamp: anHourAgo }]);
    expect(await client.next('live')).toMatchObject({ payload: 'old' });
    await reload({ topics: { live: { ...LIVE_TOPIC, ttl: '1m' } } });
    await produce(topic, [
      { key: user, value: old, timestamp: anHourAgo },
      { key: user, value: { user_id: user, payload: 'new' } },
    ]);
    // The barrier: the old one would have come before it.
    expect(await client.next('live')).toMatchObject({ payload: 'new' });
    await client.close();
  });

  it.each<readonly [string, Changes, number]>([
    ['limits.connections', { limits: { connections: 1 } }, 503],
    ['limits.connectionsPerUser', { limits: { connectionsPerUser: 1 } }, 429],
    ['limits.connectionsPerAddress', { limits: { connectionsPerAddress: 1 } }, 429],
    ['server.allowedOrigins', { server: { allowedOrigins: ['https://app.example'] } }, 403],
  ])('on the next handshakes, while open sockets stay: %s', async (_, changes, status) => {
    const user = uniqueName('u');
    const client = await open(user);
    await reload(changes);
    const url = `${gateway.wsUrl}/ws?token=${signToken({ sub: user }, TEST_SECRET)}`;
    const headers = { origin: 'https://elsewhere.example' };
    expect(await WsClient.refused(url, { headers })).toMatchObject({ status });
    expect(await ask(client, 'ping')).toMatchObject({ status: 'ok' });
    await client.close();
  });

  it('on the next handshakes: limits.handshakesPerSecond', async () => {
    await reload({ limits: { handshakesPerSecond: 1 } });
    // Only the first one of a second gets as far as to have its token looked at.
    const tries = Array.from({ length: 20 }, async (_, n) => {
      const { status } = await WsClient.refused(`${gateway.wsUrl}/ws?token=unknown-${n}`);
      return status;
    });
    expect(await Promise.all(tries)).toContain(503);
  });

  it('on the next handshakes: the file of a public key that another one takes the place of', async () => {
    const keyFile = join(folder, 'issuer.pem');
    const [first, second] = [1, 2].map(() => generateKeyPairSync('ec', { namedCurve: 'P-256' }));
    const put = (key: KeyObject): void => writeFileSync(keyFile, key.export({ type: 'spki', format: 'pem' }) as string);
    const issuers = [{ issuer: 'https://id.example', publicKeyFile: keyFile, algorithms: ['ES256'] }];
    const tryWith = (key: KeyObject): Promise<boolean> =>
      WsClient.open(`${gateway.wsUrl}/ws?token=${es256({ iss: 'https://id.example', sub: 'ann' }, key)}`).then(
        (client) => client.close().then(() => true),
        () => false,
      );
    put(first!.publicKey);
    await reload({ auth: { secret: TEST_SECRET, issuers } });
    expect([await tryWith(first!.privateKey), await tryWith(second!.privateKey)]).toEqual([true, false]);
    put(second!.publicKey);
    await reload({ auth: { secret: TEST_SECRET, issuers } });
    expect([await tryWith(first!.privateKey), await tryWith(second!.privateKey)]).toEqual([false, true]);
  });

  it('at once: the level of the log', async () => {
    const user = uniqueName('u');
    const first = await open(user);
    write({ logger: { level: 'error' }, limits: { connectionsPerUser: 1 } });
    process.kill(gateway.pid, 'SIGHUP');
    // The line that tells of it is below the new level: what else is new tells.
    const isRefused = (): Promise<boolean> =>
      open(user).then(
        (client) => client.close().then(() => false),
        () => true,
      );
    await waitFor(isRefused, { what: 'the limit of the same change' });
    const before = gateway.logs.length;
    await reload({});
    expect(gateway.logs.slice(before)[0]).toMatchObject({ level: 'info', message: 'configuration reloaded' });
    expect(gateway.logs.slice(before)[0]!['changed']).toContain('logger.level');
    await first.close();
  });
});

describe('What is live', () => {
  const everyKey = [...withPaths(schema)];
  const liveFor = (whom: LiveFor): string[] =>
    everyKey.flatMap(([path, node]) => (node.live === whom ? [path] : [])).toSorted();

  it('for everything is what an open socket, an operator or the log can meet at any time', () => {
    const inLimits = [...onOpenSockets.map(([key]) => key), 'badRequests', 'maxLifetime'];
    expect(liveFor('everything')).toEqual(
      [
        ...inLimits.map((key) => `limits.${key}`),
        ...['admin.readOnlyTokens', 'admin.token', 'admin.tokens', 'logger.level'],
        ...['topics.*.queueBytes', 'topics.*.slow', 'topics.*.ttl'],
      ].toSorted(),
    );
  });

  it('for new sockets is what a handshake meets', () => {
    expect(liveFor('new sockets')).toEqual([
      ...['auth.issuers', 'auth.secret', 'auth.secrets'],
      ...['limits.connections', 'limits.connectionsPerAddress', 'limits.connectionsPerUser'],
      ...['limits.handshakesPerSecond', 'server.allowedOrigins'],
    ]);
  });

  it('leaves out no limit but those of sizes, which belong to parts that are made once', () => {
    const fixed = everyKey.filter(([path, node]) => path.startsWith('limits.') && node.live === undefined);
    expect(fixed.map(([path]) => path)).toEqual(['limits.maxPayloadBytes', 'limits.maxRecordBytes']);
  });
});

/** Keys and lists of a group with their paths; `*` stands for a name that the operator chooses. */
function* withPaths(group: AnySection, path = ''): Generator<[string, { readonly live?: LiveFor }]> {
  for (const [name, node] of Object.entries(group.keys)) {
    const inner = node.kind === 'map' ? node.entry : node;
    const own = node.kind === 'map' ? `${path}${name}.*` : `${path}${name}`;
    if (inner.kind === 'group') yield* withPaths(inner, `${own}.`);
    else yield [node.kind === 'map' ? `${path}${name}` : own, inner];
  }
}

function es256(claims: object, key: KeyObject): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
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
import { walk } from '../../src/config/language/schema-node.js';

/**
 * What an open socket, or the next handshake for what is about those, sees of a new value of a live key. The last test
 * holds the list of all live keys against the schema.
 */
let folder: string;
let gateway: GatewayProcess;
let write: (changes: Changes) => void;
const topic = uniqueName('live-keys');

type Section = Readonly<Record<string, unknown>>;
type Changes = Readonly<Record<string, Section>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-live-'));
  await createTopics([topic], 1);
  const file = join(folder, 'config.yaml');
  const port = await freePort();
  const base: Record<string, Section> = {
    server: { host: '127.0.0.1', port, drain: { duration: '100ms', deadline: '10s' } },
    kafka: { bootstrapServers: testBrokers(), groupId: topic, topics: ['live'] },
    redis: { addr: new URL(testRedisUrl()).host, keyPrefix: topic },
    auth: { secret: TEST_SECRET },
    topics: { live: { kafkaTopic: topic, ttl: 0 } },
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

async function open(user = uniqueName('u')): Promise<WsClient> {
  const client = await WsClient.open(
    `${gateway.wsUrl}/ws?token=${signToken({ sub: user, rooms: ['a'] }, TEST_SECRET)}`,
  );
  await client.next('connected');
  return client;
}

let rid = 0;
async function ask(client: WsClient, command: string, options: object = {}): Promise<Section> {
  client.send({ rid: ++rid, command, options });
  const mine = rid;
  return (await client.next((frame: Section) => frame['rid'] === mine)) as Section;
}

/** Key of `limits`, a value that bites, and what an open socket does then; its last answer says this. */
const onOpenSockets: readonly (readonly [string, unknown, (client: WsClient) => Promise<Section>, string])[] = [
  ['requestsPerSecond', 1, (client) => repeated(client, 4, 'ping'), 'rate_limited'],
  ['requestBytesPerSecond', 40, (client) => repeated(client, 4, 'ping'), 'rate_limited'],
  ['topicsPerConnection', 0, (client) => ask(client, 'subscribe', { topics: ['live'] }), 'too many topics: at most 0'],
  ['roomsPerConnection', 0, (client) => ask(client, 'enter', { room: 'a' }), 'at most 0 rooms per connection'],
];

async function repeated(client: WsClient, times: number, command: string): Promise<Section> {
  let last: Section = {};
  for (let n = 0; n < times; n++) last = await ask(client, command);
  return last;
}

describe('A live key that SIGHUP changes acts', () => {
  it.each(onOpenSockets)('on sockets that are open: limits.%s', async (key, value, act, expected) => {
    const client = await open();
    await reload({ limits: { [key]: value } });
    expect(JSON.stringify(await act(client))).toContain(expected);
    await client.close();
  });

  it('on the subscriptions of open sockets: topics.<name>.ttl', async () => {
    const user = uniqueName('u');
    const url = `${gateway.wsUrl}/ws?token=${signToken({ sub: user }, TEST_SECRET)}&topics=live`;
    const client = await WsClient.open(url);
    await client.next('connected');
    const old = { user_id: user, payload: 'old' };
    const anHourAgo = Date.now() - 3_600_000;
    await produce(topic, [{ key: user, value: old, timestamp: anHourAgo }]);
    expect(await client.next('live')).toMatchObject({ payload: 'old' });
    await reload({ topics: { live: { kafkaTopic: topic, ttl: '1m' } } });
    await produce(topic, [
      { key: user, value: old, timestamp: anHourAgo },
      { key: user, value: { user_id: user, payload: 'new' } },
    ]);
    // The barrier: the old one would have come before it.
    expect(await client.next('live')).toMatchObject({ payload: 'new' });
    await client.close();
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
  it('is what operators are promised: level, limits, origins, slow and ttl of topics, tokens, secrets, issuers', () => {
    const live: string[] = [];
    for (const [path, node] of walk(schema)) {
      if ((node.kind === 'key' || node.kind === 'list') && node.live) live.push(path.join('.'));
      if (node.kind !== 'map') continue;
      const { entry } = node;
      if (entry.kind === 'key' && entry.live) live.push(path.join('.'));
      if (entry.kind !== 'group') continue;
      for (const [inner, key] of walk(entry))
        if (key.kind === 'key' && key.live) live.push([...path, '*', ...inner].join('.'));
    }
    const limits = live.filter((path) => path.startsWith('limits.'));
    // A socket's frames are bounded by the transport, and records by the writer; both are made once.
    const fixed = [...walk(schema.keys.limits)].filter(([, node]) => node.kind === 'key' && !node.live);
    expect(fixed.map(([[name]]) => name)).toEqual(['maxPayloadBytes', 'maxRecordBytes']);
    expect(limits.length).toBeGreaterThanOrEqual(14);
    expect(live.filter((path) => !path.startsWith('limits.')).toSorted()).toEqual([
      'admin.readOnlyTokens',
      'admin.token',
      'admin.tokens',
      'auth.issuers',
      'auth.secret',
      'auth.secrets',
      'logger.level',
      'server.allowedOrigins',
      'topics.*.queueBytes',
      'topics.*.slow',
      'topics.*.ttl',
    ]);
  });
});

function es256(claims: object, key: KeyObject): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const body = `${encode({ alg: 'ES256', typ: 'JWT' })}.${encode({ ...claims, exp: Math.floor(Date.now() / 1000) + 600 })}`;
  return `${body}.${sign('sha256', Buffer.from(body), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

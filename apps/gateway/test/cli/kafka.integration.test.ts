import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  freePort,
  readTopic,
  signToken,
  startGateway,
  testBrokers,
  testRedisUrl,
  TEST_SECRET,
  uniqueName,
  WsClient,
} from '@ws-gateway/testkit';
import { configFile, run, start } from './running.js';

const group = uniqueName('cli');
const topic = uniqueName('orders');
let folder: string;
let config: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-cli-kafka-'));
  config = join(folder, 'config.yaml');
  writeFileSync(
    config,
    `kafka: {groupId: ${group}, topics: [], bootstrapServers: "${testBrokers()}"}\ntopics: {shop: {kafkaTopic: ${topic}}}\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('topics and produce', () => {
  test('check exits 1 while topics are missing, create makes them, dead letters included', async () => {
    const before = await run(['topics', 'check', '-c', config, '--json']);
    expect(before).toMatchObject({ code: 1, stderr: 'ws-gateway: 2 of 2 topics are missing\n' });
    expect(JSON.parse(before.stdout)).toMatchObject({ missing: [topic, `${group}-dlq`] });
    const created = await run(['topics', 'create', '-c', config, '--partitions', '3', '--json']);
    expect([created.code, JSON.parse(created.stdout)]).toEqual([0, { created: [topic, `${group}-dlq`], existing: [] }]);
    const after = await run(['topics', 'check', '-c', config]);
    expect(after).toMatchObject({ code: 0, stderr: '' });
    expect(after.stdout).toContain('3 partitions');
    expect((await run(['topics', 'create', '-c', config])).stdout).toContain('exists');
  });

  test('produce writes the envelope with the payload byte for byte', async () => {
    const payload = '{"price":1.50,"n":12345678901234567890}';
    const args = [
      'produce',
      'shop',
      '-c',
      config,
      '--user',
      'u1',
      '--payload',
      payload,
      '--id',
      'n',
      '--count',
      '2',
      '--header',
      'ws-ttl-ms=5',
    ];
    const written = await run([...args, '--json']);
    expect([written.code, JSON.parse(written.stdout)]).toMatchObject([
      0,
      { topic: 'shop', kafka_topic: topic, records: 2, written: [{ offset: 0 }, { offset: 1 }] },
    ]);
    const records = await readTopic(topic);
    expect(records.map(({ key, headers }) => [key, headers])).toEqual([
      ['u1', { 'ws-ttl-ms': '5' }],
      ['u1', { 'ws-ttl-ms': '5' }],
    ]);
    for (const [index, { value }] of records.entries()) {
      expect(value).toContain(`"payload":${payload}}`);
      expect(JSON.parse(value!)).toMatchObject({ id: `n-${index + 1}`, user_id: 'u1', timestamp: expect.any(String) });
    }
  });

  test('a Kafka that is not there is a runtime failure in one line', async () => {
    const port = await freePort();
    const { code, stderr } = await run(['topics', 'check', '--brokers', `127.0.0.1:${port}`]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^ws-gateway: Kafka at 127\\.0\\.0\\.1:${port}: .*\\n$`));
  });
});

describe('serve', () => {
  const server = async (): Promise<string[]> => ['serve', '--engine', 'memory', '--port', String(await freePort())];
  const env = { JWT_SECRET: TEST_SECRET, WSGATEWAY_GRPC_ENABLED: 'false', WSGATEWAY_SERVER_DRAIN_DURATION: '100ms' };

  test('runs until SIGTERM, which reaches it through the launcher, and exits 0', async () => {
    const gateway = start([...(await server()), '-c', config], { env });
    await gateway.line('listening');
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  });

  test('serves on when nobody reads its lines any more, and still stops in order', async () => {
    const args = await server();
    const gateway = start([...args, '-c', config], { env: { ...env, WSGATEWAY_ADMIN_TOKEN: 'admin-secret' } });
    await gateway.line('listening');
    const address = `127.0.0.1:${args.at(-1)}`;
    const client = await WsClient.open(`ws://${address}/ws?token=${signToken({ sub: 'u1' }, TEST_SECRET)}`);
    gateway.child.stdout!.destroy();
    const headers = { authorization: 'Bearer admin-secret' };
    // Each call writes a line.
    for (const user of ['u2', 'u3', 'u4']) {
      const blocked = await fetch(`http://${address}/api/blocks/${user}`, { method: 'POST', headers });
      expect(blocked.status).toBe(200);
    }
    gateway.child.kill('SIGTERM');
    expect(await client.closed).toMatchObject({ code: 4000 });
    expect(await gateway.ended).toMatchObject({ code: 0, signal: null });
  });

  test('a second signal ends a stop that takes long, with exit code 1', async () => {
    const args = await server();
    const gateway = start([...args, '-c', config], { env: { ...env, WSGATEWAY_SERVER_DRAIN_DURATION: '40s' } });
    await gateway.line('listening');
    const token = signToken({ sub: 'u1' }, TEST_SECRET);
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => WsClient.open(`ws://127.0.0.1:${args.at(-1)}/ws?token=${token}`)),
    );
    gateway.child.kill('SIGTERM');
    await gateway.line('draining');
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toMatchObject({ code: 1, signal: null });
    await Promise.all(clients.map(({ closed }) => closed));
  });

  test('a port that is taken is a runtime failure in one line', async () => {
    const args = [...(await server()), '-c', config];
    const first = start(args, { env });
    await first.line('listening');
    const second = await run(args, { env });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/^ws-gateway: cannot start: .*\n$/);
    first.child.kill('SIGINT');
    expect((await first.ended).code).toBe(0);
  });
});

test('a record written by produce is printed by listen, with a token by token', async () => {
  const gateway = await startGateway({
    config: { kafka: { groupId: uniqueName('g'), topics: [] }, topics: { shop: { kafkaTopic: topic } } },
  });
  const env = { JWT_SECRET: TEST_SECRET };
  const token = (await run(['token', '--user', 'u7', '--topics', 'shop'], { env })).stdout.trimEnd();
  const client = start(['listen', gateway.wsUrl, '--token', token, '--topics', 'shop']);
  await client.line('"event":"connected"');
  await run(['produce', 'shop', '-c', config, '--user', 'u7', '--payload', '{"x":1.0}', '--id', 'e1']);
  expect(await client.line('"id":"e1"')).toContain('"payload":{"x":1.0}');
  client.child.kill('SIGINT');
  expect((await client.ended).code).toBe(0);
  expect((await gateway.stop()).code).toBe(0);
});

test('dev --demo shows a record going through and stops what it started', async () => {
  const { code, stdout, stderr } = await run(['dev', '--demo', '-c', config, '--port', String(await freePort())], {
    env: { KAFKA_BROKERS: testBrokers(), REDIS_URL: testRedisUrl(), WSGATEWAY_REDIS_KEY_PREFIX: uniqueName('demo') },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/\{"rid":-1,"event":"shop".*"payload":\{"title":"Hello","body":"from Kafka"\}/);
  expect(stdout).toMatch(/It took [\d.]+ ms/);
});

test('dev with topics of others only says how to look at them, and its lines work as they are', async () => {
  const env = {
    KAFKA_BROKERS: testBrokers(),
    REDIS_URL: testRedisUrl(),
    WSGATEWAY_REDIS_KEY_PREFIX: uniqueName('dev'),
  };
  const kafkaTopic = uniqueName('payments');
  const topics = { payments: { kafkaTopic, format: 'json', map: { user: 'value:/account/id' } } };
  const file = configFile({ kafka: { groupId: kafkaTopic, topics: [] }, topics });
  const dev = start(['dev', '-c', file, '--user', 'u9', '--port', String(await freePort())], { env });
  const [explain, produce, listen] = await Promise.all([
    dev.line(' explain '),
    dev.line(' produce '),
    dev.line(' listen '),
  ]);
  expect(explain).toMatch(/ explain payments --last 10 -c /);
  const words = (line: string) => line.split(/ (?=[^']*(?:'[^']*'[^']*)*$)/).map((word) => word.replaceAll("'", ''));
  const client = start(words(listen).slice(1), { env });
  await client.line('"event":"connected"');
  expect((await run(words(produce).slice(1), { env })).stderr).toBe('');
  expect(await client.line('"event":"payments"')).toContain('"user_id":"u9"');
  client.child.kill('SIGINT');
  dev.child.kill('SIGINT');
  expect(await dev.ended).toMatchObject({ code: 0 });
});

test('dev prints the address of its console, with tokens that work', async () => {
  const env = {
    KAFKA_BROKERS: testBrokers(),
    REDIS_URL: testRedisUrl(),
    WSGATEWAY_REDIS_KEY_PREFIX: uniqueName('dev'),
  };
  const dev = start(['dev', '-c', config, '--user', 'u8', '--port', String(await freePort())], { env });
  const address = new URL(await dev.line('/#token='));
  const given = new URLSearchParams(address.hash.slice(1));
  const page = await fetch(address);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  const headers = { authorization: `Bearer ${given.get('admin')}` };
  const nodes = await fetch(new URL('/api/nodes', address), { headers });
  const answer = { status: nodes.status, body: (await nodes.json()) as unknown, output: dev.stdout() + dev.stderr() };
  // With a token that was made up at a desk it is for nobody else.
  const body = { nodes: [{ address: `127.0.0.1:${address.port}` }] };
  expect(answer).toMatchObject({ status: 200, body });
  const query = new URLSearchParams({ token: given.get('token')!, topics: given.get('topics')! });
  const client = await WsClient.open(`ws://${address.host}/ws?${query.toString()}`);
  expect(await client.next('connected')).toMatchObject({ payload: { user: 'u8', topics: [{ topic: 'shop' }] } });
  await client.close();
  dev.child.kill('SIGINT');
  expect(await dev.ended).toMatchObject({ code: 0 });
});

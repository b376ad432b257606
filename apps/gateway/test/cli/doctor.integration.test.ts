import { describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CertificateAuthority,
  createTopics,
  freePort,
  RestrictedKafka,
  TEST_SECRET,
  testBrokers,
  testRedisUrl,
  uniqueName,
} from '@ws-gateway/testkit';
import { configFile, run } from './running.js';

interface Check {
  readonly check: string;
  readonly state: string;
  readonly detail: string;
}

async function doctor(config: object): Promise<{ code: number | null; checks: Map<string, Check> }> {
  const file = configFile({ auth: { secret: TEST_SECRET }, grpc: { enabled: false }, ...config });
  const { code, stdout } = await run(['doctor', '-c', file, '--json']);
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  return { code, checks: new Map(checks.map((one) => [one.check, one])) };
}

const redis = { addr: new URL(testRedisUrl()).host };

describe('doctor', () => {
  test('says that all is well, and exits with 0 in spite of warnings', async () => {
    const [topic, groupId] = [uniqueName('doctor'), uniqueName('doctor')];
    await createTopics([topic, `${groupId}-dlq`], 1);
    const kafka = { bootstrapServers: testBrokers(), groupId, topics: [topic] };
    const { code, checks } = await doctor({ redis, kafka, grpc: { enabled: true } });
    expect(checks.get('redis')).toMatchObject({ state: 'ok', detail: expect.stringMatching(/version \d/) });
    expect(checks.get('redis clock')).toMatchObject({ state: 'ok' });
    expect(checks.get('kafka topics')).toMatchObject({ state: 'ok', detail: 'all 2 exist and may be described' });
    expect(checks.get('kafka rights')).toMatchObject({ state: 'ok', detail: 'topics and group may be read' });
    expect(checks.get('secrets')).toMatchObject({ state: 'ok', detail: '1 HS secret of 32 bytes or more' });
    expect(checks.get('grpc')).toMatchObject({ state: 'warning', detail: expect.stringContaining('grpc.token') });
    expect(code).toBe(0);
  });

  test('names what is missing and what cannot be reached, and exits with 1', async () => {
    const topic = uniqueName('missing');
    const missing = await doctor({
      redis,
      kafka: { bootstrapServers: testBrokers(), groupId: topic, topics: [topic] },
    });
    expect(missing.checks.get('kafka topics')).toMatchObject({
      state: 'fault',
      detail: `missing: ${topic}, ${topic}-dlq`,
    });
    expect(missing.code).toBe(1);
    const port = await freePort();
    const away = await doctor({
      redis: { addr: `127.0.0.1:${port}` },
      kafka: { bootstrapServers: 'nosuchkafka.invalid:9092' },
    });
    expect(away.checks.get('redis')).toMatchObject({
      state: 'fault',
      detail: expect.stringContaining(`127.0.0.1:${port}: `),
    });
    expect(away.checks.get('kafka')).toMatchObject({ state: 'fault', detail: expect.stringContaining('ENOTFOUND') });
    expect(away.code).toBe(1);
  });

  test('asks the schema registry that topics need, and names one that is away or refuses the login', async () => {
    const registry = createServer(({ headers }, response) => {
      const isKnown = headers.authorization === 'Bearer right';
      response.writeHead(isKnown ? 404 : 401, { 'content-type': 'application/json' }).end('{"error_code":40403}');
    });
    await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    const [topic, groupId] = [uniqueName('doctor'), uniqueName('doctor')];
    await createTopics([topic, `${groupId}-dlq`], 1);
    const topics = { [topic]: { format: 'avro', map: { user: 'key' } } };
    const kafka = { bootstrapServers: testBrokers(), groupId, topics: [] };
    const withRegistry = (schemaRegistry: object) => doctor({ redis, kafka, topics, schemaRegistry });
    const right = await withRegistry({ url, token: 'right' });
    const wrong = await withRegistry({ url, token: 'wrong' });
    await new Promise((resolve) => registry.close(resolve));
    const away = await withRegistry({ url, token: 'right' });
    const outcome = ({ code, checks }: typeof right) => [code, checks.get('schema registry')];
    const check = 'schema registry';
    expect(outcome(right)).toEqual([0, { check, state: 'ok', detail: `reached ${url}, logged in` }]);
    const refused = `${url}: the schema registry answered 401`;
    expect(outcome(wrong)).toEqual([1, { check, state: 'fault', detail: refused }]);
    expect(outcome(away)).toEqual([1, { check, state: 'fault', detail: expect.stringContaining('ECONNREFUSED') }]);
  });

  test('reads the key sets of the issuers, and names one that is away or has no keys', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA' }];
    const issuer = createServer(({ url }, response) =>
      response.end(JSON.stringify({ keys: url!.startsWith('/none') ? [] : keys })),
    );
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    const entry = (name: string) => ({ issuer: name, jwksUrl: `${origin}/${name}?secret=s`, algorithms: ['EdDSA'] });
    const auth = { secret: TEST_SECRET, issuers: [entry('good'), entry('none')] };
    const config = { auth, role: 'edge', redis, kafka: { bootstrapServers: testBrokers(), topics: [] } };
    const { code, checks } = await doctor(config);
    await new Promise((resolve) => issuer.close(resolve));
    const away = await doctor({ ...config, auth: { ...auth, issuers: [entry('good')] } });
    const [first, second] = ['auth.issuers[0].jwksUrl', 'auth.issuers[1].jwksUrl'];
    const shown = `${origin}/good`;
    expect(checks.get(first)).toEqual({ check: first, state: 'ok', detail: `reached ${shown}, 1 key` });
    const empty = `${origin}/none: the key set is empty`;
    expect([code, checks.get(second)]).toEqual([1, { check: second, state: 'fault', detail: empty }]);
    const refused = { state: 'fault', detail: expect.stringMatching(`^${shown}: .*ECONNREFUSED`) };
    expect([away.code, away.checks.get(first)]).toEqual([1, { check: first, ...refused }]);
  });

  test('names what its user may not read in Kafka', async () => {
    const restricted = await RestrictedKafka.start();
    try {
      const [open, shut, hidden] = [uniqueName('open'), uniqueName('shut'), uniqueName('hidden')];
      const groupId = uniqueName('doctor');
      await createTopics([open, shut, hidden], 1, { brokers: restricted.brokers });
      await restricted.allow(open);
      await restricted.allowToDescribe(shut);
      const kafka = { bootstrapServers: restricted.loginBrokers, sasl: RestrictedKafka.login, groupId };
      const { code, checks } = await doctor({ redis, kafka: { ...kafka, topics: [open, shut, hidden] } });
      expect(checks.get('kafka')).toMatchObject({ state: 'ok', detail: expect.stringContaining('logged in') });
      expect(checks.get('kafka topics')).toMatchObject({
        state: 'fault',
        detail: `missing, or not to be described by this user: ${hidden}, ${groupId}-dlq`,
      });
      expect(checks.get('kafka rights')).toMatchObject({
        state: 'fault',
        detail: `this user may not read: ${shut}, group ${groupId} (Failed to find group coordinator)`,
      });
      expect(code).toBe(1);
    } finally {
      await restricted.stop();
    }
  }, 120_000);

  test('looks at the certificates that are shown to Kafka and Redis', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wsg-doctor-'));
    const [certFile, keyFile] = [join(folder, 'client.crt'), join(folder, 'client.key')];
    const { cert, key } = new CertificateAuthority().issue('gateway');
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const files = { certFile, keyFile };
    const { checks } = await doctor({
      ...{ redis: { ...redis, tls: true, tlsFiles: files } },
      kafka: { bootstrapServers: testBrokers(), tls: { enabled: true, ...files } },
    });
    rmSync(folder, { recursive: true });
    for (const section of ['kafka.tls', 'redis.tlsFiles']) {
      expect(checks.get(`${section} certificate`)).toMatchObject({
        state: 'warning',
        detail: expect.stringMatching(/^valid for [01] days$/),
      });
    }
  });

  // A node makes it itself: the first start of a healthy installation was called a fault.
  test('takes a dead letter topic that nobody has made yet for no fault', async () => {
    const topic = uniqueName('doctor');
    await createTopics([topic], 1);
    const kafka = { bootstrapServers: testBrokers(), groupId: topic, topics: [topic] };
    const { code, checks } = await doctor({ redis, kafka, admin: { token: 'short' } });
    expect(checks.get('kafka topics')).toMatchObject({
      state: 'warning',
      detail: `missing: ${topic}-dlq; made when something is written to them`,
    });
    expect(checks.get('secrets')).toMatchObject({
      state: 'warning',
      detail: expect.stringMatching(/: the token of admin$/),
    });
    expect(code).toBe(0);
  });

  test('shows a table to people', async () => {
    const file = configFile({
      auth: { secret: TEST_SECRET },
      engine: 'memory',
      role: 'all',
      kafka: { topics: [] },
      grpc: { enabled: false },
    });
    const { code, stdout } = await run(['doctor', '-c', file]);
    expect(stdout).toMatch(/^CHECK +STATE +DETAIL\nredis +ok +not used: engine memory\n/);
    expect(code).toBe(0);
  });
});

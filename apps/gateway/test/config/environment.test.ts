import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { walk } from '../../src/config/language/schema-node.js';
import { schema } from '../../src/config/schema/schema.js';
import { environmentName } from '../../src/config/language/environment.js';
import { valueAt } from '../../src/config/language/tree.js';
import { findingsOf, load, loadWithSecret } from './loading.js';

describe('precedence', () => {
  const port = (yaml: string, env: Record<string, string>, flag?: string): number => {
    const flags = flag === undefined ? {} : { 'server.port': { flag: '--port', text: flag } };
    return loadWithSecret(yaml, { env, flags }).config.server.port;
  };

  test('defaults < file < aliases of variables < WSGATEWAY_ < flags', () => {
    expect(port('', {})).toBe(8080);
    expect(port('server: {port: 1001}', {})).toBe(1001);
    expect(port('server: {port: 1001}', { HTTP_PORT: '1002' })).toBe(1002);
    expect(port('server: {port: 1001}', { HTTP_PORT: '1002', WSGATEWAY_SERVER_PORT: '1003' })).toBe(1003);
    expect(port('server: {port: 1001}', { HTTP_PORT: '1002', WSGATEWAY_SERVER_PORT: '1003' }, '1004')).toBe(1004);
  });

  test('a wrong flag is named', () => {
    const flags = { 'server.port': { flag: '--port', text: 'x' } };
    expect(loadWithSecret('', { flags }).findings).toEqual([
      { path: 'server.port', message: 'must be a whole number from 0 to 65535, not "x"', source: '--port' },
    ]);
  });

  test('an empty variable counts as not set', () => {
    expect(port('server: {port: 1001}', { HTTP_PORT: '', WSGATEWAY_SERVER_PORT: '' })).toBe(1001);
  });
});

describe('WSGATEWAY_ variables', () => {
  test('every key has one, and no two share it', () => {
    const names = [...walk(schema)].filter(([, node]) => node.kind !== 'group').map(([path]) => environmentName(path));
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['WSGATEWAY_SERVER_PORT', 'WSGATEWAY_KAFKA_BOOTSTRAP_SERVERS', 'WSGATEWAY_ROLE']),
    );
  });

  test.each([
    [{ WSGATEWAY_KAFKA_BOOTSTRAP_SERVERS: 'a:1, b:2' }, { brokers: ['a:1', 'b:2'] }],
    [{ WSGATEWAY_KAFKA_BOOTSTRAPSERVERS: '["a:1"]' }, { brokers: ['a:1'] }],
    [{ WSGATEWAY_KAFKA_TOPICS: 'notifications,orders' }, { topics: ['notifications', 'orders'] }],
    [{ WSGATEWAY_KAFKA_CREATE_TOPICS: 'TRUE' }, { createTopics: true }],
    [{ WSGATEWAY_KAFKA_TLS_ENABLED: '1' }, { tls: { verify: true } }],
  ])('%j', (env, expected) => {
    const { config, findings } = loadWithSecret('', { env });
    expect(findings).toEqual([]);
    expect(config.kafka).toMatchObject(expected);
  });

  test('durations, sizes and words are read as in the file', () => {
    const { config } = loadWithSecret('', {
      env: {
        WSGATEWAY_SERVER_HEARTBEAT: '30s',
        WSGATEWAY_LIMITS_MAX_PAYLOAD_BYTES: '1mb',
        WSGATEWAY_LOGGER_LEVEL: 'WARN',
      },
    });
    expect([config.server.heartbeatMs, config.limits.maxPayloadBytes, config.logger.level]).toEqual([
      30_000,
      1_048_576,
      'warn',
    ]);
  });

  test('maps are JSON laid over the file, and entries have variables of their own', () => {
    const { config, findings } = loadWithSecret('topics: {orders: {ttl: 5s, guests: true}}', {
      env: {
        WSGATEWAY_TOPICS: '{"orders":{"ttl":"6s"},"prices":{"mode":"latest"}}',
        WSGATEWAY_TOPICS_ORDERS_TTL: '7s',
        WSGATEWAY_TOPICS_BALANCE_UPDATES_HISTORY_TTL: '9m',
        WSGATEWAY_BACKENDS_HTTP_NOTIFICATION_URL: 'http://n:1',
      },
    });
    expect(findings).toEqual([]);
    expect(config.topics.get('orders')).toMatchObject({ ttlMs: 7_000, guests: true });
    expect(config.topics.get('prices')).toMatchObject({ retention: { mode: 'latest' } });
    expect(config.topics.get('balance-updates')).toMatchObject({
      retention: { mode: 'latest', ttlMs: 540_000 },
      snapshot: true,
    });
    expect(config.backends.http['notification']?.url).toBe('http://n:1');
  });

  test('what is no key, no JSON or of a wrong type is listed', () => {
    const { findings } = loadWithSecret('', {
      env: {
        WSGATEWAY_SERVER_PROT: '1',
        WSGATEWAY_TOPICS: '{',
        WSGATEWAY_HUBS: 'main',
        WSGATEWAY_SERVER_PROXY_PROTOCOL: 'maybe',
      },
    });
    expect(findings.map(({ path }) => path)).toEqual([
      'WSGATEWAY_SERVER_PROT',
      'server.proxyProtocol',
      'topics',
      'hubs',
    ]);
  });
});

describe('variables with the names of the systems it replaces', () => {
  test('reach their keys', () => {
    const { config, findings } = load('', {
      env: {
        HTTP_PORT: '8090',
        GRPC_PORT: '9100',
        TOKEN_KEY: 'auth',
        JWT_SECRET: TEST_SECRET,
        JWT_ISSUER: 'issuer',
        ENV_TYPE: 'prod',
        LOKI_ENDPOINT_URL: 'http://loki:3100/loki/api/v1/push',
        LOKI_LABELS: '{"app":"gateway"}',
        KAFKA_BROKERS: 'k1:9092,k2:9092',
        LOG_LEVEL: 'debug',
      },
    });
    expect(findings).toEqual([]);
    expect([config.server.port, config.grpc.port, config.auth.secret, config.auth.issuer]).toEqual([
      8090,
      9100,
      TEST_SECRET,
      'issuer',
    ]);
    expect(config.auth.queryParams).toEqual(['auth', 'token', 't']);
    expect(config.kafka.brokers).toEqual(['k1:9092', 'k2:9092']);
    expect(config.logger).toMatchObject({ level: 'debug', environment: 'prod' });
    expect(config.logger.loki).toEqual({
      url: 'http://loki:3100/loki/api/v1/push',
      labels: { app: 'gateway', env: 'prod' },
    });
  });

  test('TOKEN_KEY moves a name that is there already to the front', () => {
    expect(loadWithSecret('', { env: { TOKEN_KEY: 't' } }).config.auth.queryParams).toEqual(['t', 'token']);
  });

  test.each([
    [{ WEBSOCKET_HUBS: 'main,game' }, [50_051, 50_052]],
    [{ WEBSOCKET_HUBS: 'main,game', GRPC_SERVER_PORTS: '6001,6005' }, [6001, 6005]],
    [{ WEBSOCKET_HUBS: 'main,game', GRPC_SERVER_PORTS: '6001' }, [6001, 6002]],
    [{ GRPC_SERVER_PORTS: '6001' }, [6001]],
  ])('%j', (env, ports) => {
    const { config, findings } = loadWithSecret('', { env });
    expect(findings).toEqual([]);
    expect(config.hubs.map(({ grpcPort }) => grpcPort)).toEqual(ports);
  });

  test('more ports than hubs, and ports that are none, are findings', () => {
    expect(findingsOf(loadWithSecret('', { env: { GRPC_SERVER_PORTS: '6001,6002' } }))).toEqual([
      'hubs: 2 ports for 1 hubs',
    ]);
    expect(findingsOf(loadWithSecret('', { env: { GRPC_SERVER_PORTS: 'many' } }))).toEqual([
      'hubs[0].grpcPort: must be a whole number from 0 to 65535, not "many"',
    ]);
  });

  test('REDIS_URL is taken apart', () => {
    const { redis } = loadWithSecret('', { env: { REDIS_URL: 'rediss://me:p%40ss@cache:6380/3' } }).config;
    expect(redis).toMatchObject({ addr: ['cache:6380'], username: 'me', password: 'p@ss', db: 3, tls: true });
    expect(loadWithSecret('', { env: { REDIS_URL: 'redis://cache' } }).config.redis).toMatchObject({
      addr: ['cache:6379'],
      db: 0,
      tls: false,
    });
  });

  test('a REDIS_URL that is none is a finding that does not show it', () => {
    const { findings } = loadWithSecret('', { env: { REDIS_URL: 'http://me:hunter2@cache' } });
    expect(findings.map(({ path }) => path)).toEqual(['REDIS_URL']);
    expect(JSON.stringify(findings)).not.toContain('hunter2');
  });
});

describe('secrets from files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wsg-secrets-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileOf = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  test('every key that is secret has a variable with _FILE', () => {
    const secrets = [...walk(schema)].filter(([, node]) => node.kind === 'key' && node.secret === true);
    expect(secrets.length).toBeGreaterThan(5);
    for (const [path, node] of secrets) {
      const text = node.kind === 'key' && Array.isArray(node.default) ? `["${TEST_SECRET}"]` : TEST_SECRET;
      const env = { [`${environmentName(path)}_FILE`]: fileOf(path.join('-'), text) };
      const { tree } = loadWithSecret('', { env: { JWT_SECRET: '', ...env } });
      expect([path, valueAt(tree, path)]).toEqual([path, text === TEST_SECRET ? text : [TEST_SECRET]]);
    }
  });

  test('their final line break does not count, and no other character is touched', () => {
    const secretIn = (text: string) => load('', { env: { JWT_SECRET_FILE: fileOf('jwt', text) } }).config.auth.secret;
    expect(secretIn(`${TEST_SECRET}\n`)).toBe(TEST_SECRET);
    expect(secretIn(`${TEST_SECRET}\r\n`)).toBe(TEST_SECRET);
    expect(secretIn(TEST_SECRET)).toBe(TEST_SECRET);
    const twice = load('', { env: { JWT_SECRET_FILE: fileOf('twice', `${TEST_SECRET}\n\n`) } });
    expect(findingsOf(twice)).toEqual([expect.stringMatching(/^auth\.secret: must not begin or end with white space/)]);
  });

  test('also for the other names: JWT_SECRET_FILE and REDIS_URL_FILE', () => {
    const { config, findings } = load('', {
      env: {
        JWT_SECRET_FILE: fileOf('jwt', TEST_SECRET),
        REDIS_URL_FILE: fileOf('redis', 'redis://me:pass@redis:7000/3\n'),
      },
    });
    expect(findings).toEqual([]);
    expect(config.redis).toMatchObject({ addr: ['redis:7000'], username: 'me', password: 'pass', db: 3 });
  });

  test('that are not there, or beside the variable itself, are findings', () => {
    const env = {
      JWT_SECRET: TEST_SECRET,
      JWT_SECRET_FILE: fileOf('jwt', 'x'),
      WSGATEWAY_ADMIN_TOKEN_FILE: '/nowhere',
    };
    expect(findingsOf(load('', { env }))).toEqual([
      'JWT_SECRET_FILE: must not be set together with JWT_SECRET',
      'WSGATEWAY_ADMIN_TOKEN_FILE: must name a file that can be read, not /nowhere: ENOENT',
    ]);
    const both = { WSGATEWAY_AUTH_SECRET: TEST_SECRET, WSGATEWAY_AUTH_SECRET_FILE: fileOf('wsg', 'x') };
    expect(findingsOf(load('', { env: both }))).toEqual([
      'WSGATEWAY_AUTH_SECRET_FILE: must not be set together with WSGATEWAY_AUTH_SECRET',
    ]);
    expect(findingsOf(loadWithSecret('', { env: { WSGATEWAY_SERVER_PORT_FILE: fileOf('port', '1') } }))).toEqual([
      'WSGATEWAY_SERVER_PORT_FILE: no key of the configuration has this variable',
    ]);
  });
});

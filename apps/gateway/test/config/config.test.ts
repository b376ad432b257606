import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { loadConfig } from '../../src/config/load.js';
import { roomRetention } from '../../src/node/part-options.js';
import { findingsOf, load, loadWithSecret } from './loading.js';

describe('a configuration without a file', () => {
  test('has the defaults that docs/configuration.md promises', () => {
    const { config, findings } = loadWithSecret('');
    expect(findings).toEqual([]);
    expect(config.server).toMatchObject({
      host: '::',
      port: 8080,
      workers: 1,
      readTimeoutMs: 10_000,
      heartbeatMs: 25_000,
    });
    expect(config.server.drain).toEqual({ durationMs: 30_000, deadlineMs: 45_000 });
    expect(config.server.tls).toBeNull();
    expect(config.kafka).toMatchObject({
      brokers: ['localhost:9092'],
      groupId: 'ws-gateway',
      deadLetterTopic: 'ws-gateway-dlq',
    });
    expect(config.kafka.tls).toBeNull();
    expect(config.kafka.sasl).toBeNull();
    expect(config.redis).toMatchObject({
      addr: ['localhost:6379'],
      db: 0,
      keyPrefix: 'wsg',
      mode: 'standalone',
      partitions: 1,
    });
    expect(config.auth).toMatchObject({
      algorithms: ['HS256'],
      userClaim: 'sub',
      queryParams: ['token', 't'],
      requireExp: false,
    });
    expect(config.limits).toMatchObject({
      maxPayloadBytes: 65_536,
      maxRecordBytes: 262_144,
      requestsPerSecond: 50,
      maxLifetimeMs: 0,
    });
    expect(config.hubs).toEqual([{ name: 'main', grpcPort: 50_051 }]);
    expect(config.sessions).toBeNull();
    expect(config.rooms).toEqual({
      history: { size: 0, ttlMs: 60_000, maxBytes: 0 },
      slow: 'queue',
      queueBytes: 262_144,
    });
    expect(Object.keys(config.backends.http)).toEqual(['user', 'notification']);
    expect(Object.keys(config.commands)).toEqual([
      ...['authentication', 'getMyNotifications', 'getMyNotificationsCount', 'updateNotifications'],
    ]);
    expect(config.metrics).toEqual({ enabled: true, namespace: 'ws_gateway', path: '/metrics', perUser: false });
  });

  test('has the four topics with the defaults of their kinds', () => {
    const { topics } = loadWithSecret('').config;
    expect([...topics.keys()]).toEqual(['balance-updates', 'user-blocks', 'notifications', 'wss']);
    expect(topics.get('notifications')).toEqual({
      name: 'notifications',
      kafkaTopic: 'notifications',
      type: 'notification',
      format: 'envelope',
      map: {},
      when: [],
      tombstone: 'dead-letter',
      retention: { mode: 'ordered', size: 100, ttlMs: 3_600_000 },
      slow: 'queue',
      queueBytes: 262_144,
      ttlMs: 0,
      ack: false,
      snapshot: false,
      guests: false,
      clientVisible: true,
      audienceFromKey: false,
      blocks: false,
      keys: null,
      tracking: null,
    });
    expect(topics.get('balance-updates')).toMatchObject({
      type: 'balance_update',
      retention: { mode: 'latest' },
      snapshot: true,
      slow: 'conflate',
    });
    expect(topics.get('user-blocks')).toMatchObject({ type: 'user_block', retention: null, blocks: true });
    expect(topics.get('wss')).toMatchObject({ format: 'wss', retention: null });
  });

  test('lacks only the secret', () => {
    expect(findingsOf(load(''))).toEqual([expect.stringMatching(/^auth\.secret: missing: .*JWT_SECRET/)]);
    expect(load('', { purpose: 'dev' }).findings).toEqual([]);
    expect(load('', { purpose: 'tool' }).findings).toEqual([]);
  });
});

describe('topics', () => {
  test('are those of kafka.topics and those of the map together', () => {
    const { topics } = loadWithSecret(
      'kafka: {topics: [wss, plain.one]}\ntopics: {orders: {kafkaTopic: shop.orders, ttl: 30s}}',
    ).config;
    expect([...topics.keys()].sort()).toEqual(['orders', 'plain.one', 'wss']);
    expect(topics.get('orders')).toMatchObject({
      kafkaTopic: 'shop.orders',
      ttlMs: 30_000,
      type: 'orders',
      blocks: false,
    });
    expect(topics.get('plain.one')).toMatchObject({ kafkaTopic: 'plain.one', retention: { size: 100 } });
    expect(topics.get('wss')).toMatchObject({ format: 'wss' });
  });

  test('keep the defaults of their kind where the file says nothing', () => {
    const { topics } = loadWithSecret('topics: {balance-updates: {guests: true}, notifications: }').config;
    expect(topics.get('balance-updates')).toMatchObject({ guests: true, slow: 'conflate', snapshot: true });
    expect(topics.get('notifications')).toMatchObject({ type: 'notification' });
  });

  test('and rooms bound the bytes of their history where the file says so', () => {
    const yaml = 'topics: {orders: {history: {maxBytes: 1mb}}, plain: }\nrooms: {history: {size: 5, maxBytes: 64kb}}';
    const { config } = loadWithSecret(yaml);
    expect(config.topics.get('orders')?.retention).toMatchObject({ size: 100, bytesMax: 1_048_576 });
    expect(config.topics.get('plain')?.retention).toEqual({ mode: 'ordered', size: 100, ttlMs: 3_600_000 });
    expect(roomRetention(config)).toMatchObject({ size: 5, bytesMax: 65_536 });
  });

  test('in latest mode are retained unless a size of 0 is written', () => {
    const size = (yaml: string): unknown => loadWithSecret(yaml).config.topics.get('user-blocks')?.retention;
    expect(size('topics: {user-blocks: {mode: latest}}')).toMatchObject({ mode: 'latest', size: 1 });
    expect(size('topics: {user-blocks: {mode: latest, history: {size: 0}}}')).toBeNull();
    expect(size('topics: {user-blocks: {mode: ordered}}')).toBeNull();
  });

  test('may have names that mean something to JavaScript', () => {
    const { config, findings } = loadWithSecret(
      'topics: {constructor: {}, __proto__: {guests: true}, a.b.c: {slow: conflate}}',
    );
    expect(findings).toEqual([]);
    expect(config.topics.get('__proto__')).toMatchObject({ name: '__proto__', guests: true });
    expect(config.topics.get('constructor')).toMatchObject({ guests: false });
    expect(config.topics.get('a.b.c')).toMatchObject({ slow: 'conflate' });
  });
});

describe('durations and sizes', () => {
  test.each([
    ['10s', 10_000],
    ['500ms', 500],
    ['1h', 3_600_000],
    ['2m', 120_000],
    ['1m30s', 90_000],
    ['1.5s', 1_500],
  ])('%s is %d ms', (text, ms) => {
    expect(loadWithSecret(`server: {readTimeout: ${text}}`).config.server.readTimeoutMs).toBe(ms);
  });

  test.each([
    ['64kb', 65_536],
    ['1MB', 1_048_576],
    ['512', 512],
    ['700b', 700],
  ])('%s is %d bytes', (text, bytes) => {
    expect(loadWithSecret(`limits: {maxPayloadBytes: ${text}}`).config.limits.maxPayloadBytes).toBe(bytes);
  });

  test.each(['10', '"10"', 'soon', '-1s', '1.0001ms', '[]'])('%s is no duration', (text) => {
    expect(findingsOf(loadWithSecret(`server: {readTimeout: ${text}}`))).toEqual([
      expect.stringContaining('server.readTimeout: must be a duration with a unit, such as 10s, 500ms or 1h'),
    ]);
  });
});

describe('commands and backends', () => {
  test('a file changes one key of a preset and keeps the others', () => {
    const { config } = loadWithSecret('commands: {getMyNotifications: {backend: user, query: {limit: params.max}}}');
    expect(config.commands['getMyNotifications']).toMatchObject({
      backend: 'user',
      method: 'GET',
      subscribe: 'notification',
      query: { limit: 'params.max', skip: 'params.skip', type: 'where.types' },
    });
  });

  test('a new command and a backend link get their defaults', () => {
    const { config, findings } = loadWithSecret(
      'backends: {http: {shop: {url: "http://shop:1"}}, ws: [{name: lobby, url: "ws://lobby:1"}]}\ncommands: {getCart: {backend: shop}}',
    );
    expect(findings).toEqual([]);
    expect(config.backends.http['shop']).toEqual({ url: 'http://shop:1', timeoutMs: 10_000 });
    expect(config.backends.ws).toEqual([
      {
        name: 'lobby',
        url: 'ws://lobby:1',
        path: '/lobby',
        closeOnBackendLoss: false,
        sessionPolicy: 'reject',
        queueBytes: 16 * 1024 * 1024,
        queueEvents: 100_000,
      },
    ]);
    expect(config.commands['getCart']).toMatchObject({
      backend: 'shop',
      method: 'GET',
      endpoints: ['/ws', '/web', '/mobile'],
    });
  });

  test('read sessionPolicy: refuse, the former word, as reject', () => {
    const lobby = (policy: string): string =>
      `backends: {ws: [{name: lobby, url: "ws://lobby:1", sessionPolicy: ${policy}}]}`;
    expect(loadWithSecret(lobby('refuse')).config.backends.ws[0]).toMatchObject({ sessionPolicy: 'reject' });
    expect(loadWithSecret(lobby('turn-away')).findings).toEqual([
      expect.objectContaining({ message: 'must be one of reject, replace, not "turn-away"' }),
    ]);
  });
});

describe('the file', () => {
  test('that does not exist is a finding, not a crash', () => {
    const { findings } = loadConfig({
      file: '/nowhere/config.yaml',
      env: { JWT_SECRET: TEST_SECRET },
      purpose: 'serve',
    });
    expect(findings).toEqual([{ path: '/nowhere/config.yaml', message: 'cannot be read: ENOENT' }]);
  });

  test.each([
    ['a: [', /^[^:]+config\.yaml: is not YAML: .*line 1/],
    ['server: {}\nserver: {}', /is not YAML: duplicated mapping key, line 2/],
    ['--- {}\n--- {}', /more than one YAML document/],
    ['- a', /config\.yaml: must be a map of keys/],
    ['just text', /config\.yaml: must be a map of keys/],
  ])('%j is refused with its reason', (yaml, reason) => {
    expect(findingsOf(loadWithSecret(yaml))).toEqual([expect.stringMatching(reason)]);
  });

  test('that is broken never shows a line of itself, for it may hold a secret', () => {
    expect(findingsOf(load('auth: {secret: hunter2\n  oops')).join()).not.toContain('hunter2');
  });
});

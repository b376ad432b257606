import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createTopics,
  produce,
  readTopic,
  testBrokers,
  testRedisUrl,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { load } from 'js-yaml';
import { exampleFile, metricsOf, startExample, stopAll, token, type Env } from './example.js';

/** The topics example: Kafka topics to users by `/ws?token=…&topics=…`, over Redis, and its long list of metrics. */

/** The config.yaml of that system, word for word. */
const ORIGINAL = `
server:
  port: 8080
  readTimeout: 10s
  writeTimeout: 10s

kafka:
  bootstrapServers: localhost:9092
  groupId: ws-gateway
  topics:
    - balance-updates
    - user-blocks
    - notifications

redis:
  addr: localhost:6379
  password: ""
  db: 0

logger:
  level: info
  format: json

metrics:
  enabled: true
  namespace: ws_gateway
  path: /metrics
`;

/** Metrics of that system: name and type. */
const METRICS = {
  ...{ websocket_active_connections: 'gauge', websocket_connections_total: 'counter' },
  ...{ websocket_connection_duration_seconds: 'histogram', websocket_unexpected_close_total: 'counter' },
  ...{ websocket_auth_errors_total: 'counter', websocket_messages_sent_total: 'counter' },
  ...{ websocket_messages_received_total: 'counter', websocket_bytes_sent_total: 'counter' },
  ...{ websocket_bytes_received_total: 'counter', websocket_message_latency_seconds: 'histogram' },
  ...{ websocket_message_buffer_size: 'gauge', websocket_message_buffer_overflow_total: 'counter' },
  ...{ kafka_messages_processed_total: 'counter', kafka_processing_rate: 'gauge', kafka_consumer_lag: 'gauge' },
  ...{ kafka_deserialize_errors_total: 'counter', kafka_errors_total: 'counter' },
  ...{ redis_client_registrations_total: 'counter', redis_client_unregistrations_total: 'counter' },
  ...{ redis_message_publications_total: 'counter', redis_operation_latency_seconds: 'histogram' },
  ...{ redis_operation_errors_total: 'counter', http_requests_total: 'counter' },
  ...{ http_response_status_code_total: 'counter', http_request_duration_seconds: 'histogram' },
  ...{ system_cpu_usage: 'gauge', system_memory_usage_bytes: 'gauge', system_gc_duration_seconds: 'histogram' },
  ...{ system_gc_count_total: 'counter', system_goroutine_count: 'gauge' },
  ...{ business_messages_by_type_total: 'counter', business_messages_by_user_total: 'counter' },
} as const;

const TOPICS = ['balance-updates', 'user-blocks', 'notifications'] as const;
let nodes: GatewayProcess[] = [];
let cluster: string;
let env: Env;
const kafkaTopic = (name: string): string => `${cluster}-${name}`;

beforeAll(async () => {
  cluster = uniqueName('topics');
  await createTopics(TOPICS.map(kafkaTopic), 2);
  env = {
    KAFKA_BROKERS: testBrokers(),
    WSGATEWAY_KAFKA_GROUP_ID: cluster,
    WSGATEWAY_REDIS_ADDR: new URL(testRedisUrl()).host,
    WSGATEWAY_REDIS_KEY_PREFIX: cluster,
    WSGATEWAY_TOPICS_BALANCE_UPDATES_KAFKA_TOPIC: kafkaTopic('balance-updates'),
    WSGATEWAY_TOPICS_USER_BLOCKS_KAFKA_TOPIC: kafkaTopic('user-blocks'),
    WSGATEWAY_TOPICS_NOTIFICATIONS_KAFKA_TOPIC: kafkaTopic('notifications'),
    WSGATEWAY_INBOUND_KAFKA_TOPIC: kafkaTopic('ws-inbound'),
    WSGATEWAY_METRICS_PER_USER: 'true',
    WSGATEWAY_GRPC_ENABLED: 'false',
  };
  nodes = await Promise.all([startExample('topics', env), startExample('topics', env)]);
}, 90_000);
afterAll(() => stopAll(...nodes), 60_000);

const urlOf = (at: number, query: string): string => `${nodes[at]!.wsUrl}/ws?${query}`;

async function connect(at: number, user: string, topics: string): Promise<WsClient> {
  const client = await WsClient.open(urlOf(at, `token=${token(user)}&topics=${topics}`));
  await client.next('connected');
  return client;
}

/** Makes a message as that system's producers write it. */
function message(id: string, type: string, user: string, payload: object) {
  const value = { id, type, user_id: user, payload, timestamp: '2026-01-01T00:00:00Z' };
  return { key: user, value };
}

describe('the topics example', () => {
  it('is the original config.yaml and one key more', () => {
    const example = load(readFileSync(exampleFile('topics'), 'utf8'));
    expect(example).toEqual({ ...(load(ORIGINAL) as object), inbound: { enabled: true } });
  });

  it('brings a user the messages of the topics in the URL, and nobody else', async () => {
    const [ann, bob] = await Promise.all([
      connect(0, 'ann', 'balance-updates,notifications'),
      connect(1, 'bob', 'balance-updates'),
    ]);
    const balance = { balance: 12.5, delta: -2, currency: 'EUR', reason: 'bet', external_id: 'x-1' };
    const notice = { title: 'Hello', body: 'World', data: { a: 1 }, actions: [] };
    await produce(kafkaTopic('notifications'), [message('n-0', 'notification', 'bob', notice)]);
    await produce(kafkaTopic('notifications'), [message('n-1', 'notification', 'ann', notice)]);
    await produce(kafkaTopic('balance-updates'), [
      message('b-1', 'balance_update', 'ann', balance),
      message('b-2', 'balance_update', 'bob', balance),
    ]);
    const common = { user_id: 'ann', timestamp: '2026-01-01T00:00:00Z' };
    expect(await ann.next((frame) => frame['id'] === 'n-1')).toMatchObject({
      ...common,
      type: 'notification',
      payload: notice,
    });
    expect(await bob.next((frame) => frame['id'] === 'b-2')).toMatchObject({
      type: 'balance_update',
      payload: balance,
    });
    await waitFor(() => ann.frames.some((frame) => frame['id'] === 'b-1'));
    expect(ann.frames.find((frame) => frame['id'] === 'b-1')).toMatchObject({ ...common, payload: balance });
    expect(ann.frames).toHaveLength(3);
    // Bob did not ask for notifications: his first message is the one after the `connected`.
    expect(bob.frames.map((frame) => frame['id'])).toEqual([undefined, 'b-2']);
    await ann.close();
    await bob.close();
  });

  it('turns a blocked user out, everywhere, until the block is over', async () => {
    const sockets = await Promise.all([connect(0, 'eve', 'user-blocks'), connect(1, 'eve', 'notifications')]);
    const block = (blocked: boolean) =>
      produce(kafkaTopic('user-blocks'), [message('u-1', 'user_block', 'eve', { blocked, reason: 'fraud' })]);
    await block(true);
    expect(await sockets[0]!.next('user-blocks')).toMatchObject({ type: 'user_block', payload: { blocked: true } });
    for (const socket of sockets) expect(await socket.closed).toMatchObject({ code: 4500, reason: 'fraud' });
    const refused = await WsClient.refused(urlOf(1, `token=${token('eve')}`));
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'user_blocked', reason: 'fraud' } } });
    await block(false);
    const back = await waitFor(() => connect(0, 'eve', 'notifications'));
    await back.close();
  });

  it('hands what clients send to the back end by Kafka', async () => {
    const ann = await connect(0, 'ann', '');
    await ann.request('send', { to: { user: 'support' }, payload: { text: 'help' } });
    const [record] = await readTopic(kafkaTopic('ws-inbound'));
    expect(record!.key).toBe('ann');
    expect(JSON.parse(record!.value!)).toMatchObject({
      user_id: 'ann',
      to: { user: 'support' },
      payload: { text: 'help' },
    });
    await ann.close();
  });

  it('refuses tokens that are missing or wrong and topics that there are not, before the upgrade', async () => {
    expect(await WsClient.refused(urlOf(0, 'topics=notifications'))).toMatchObject({ status: 401 });
    expect(await WsClient.refused(urlOf(0, 'token=your-jwt-token'))).toMatchObject({
      status: 401,
      body: { error: { code: 'token_invalid' } },
    });
    expect(await WsClient.refused(urlOf(0, `token=${token('ann')}&topics=nope`))).toMatchObject({
      status: 400,
      body: { error: { code: 'unknown_topic', message: expect.stringContaining('balance-updates') } },
    });
  });

  it('has all the metrics, by the same names and types, with values where something happened', async () => {
    const client = await connect(0, 'zoe', 'notifications');
    await produce(kafkaTopic('notifications'), [
      message('z', 'notification', 'zoe', { title: 'z', body: '' }),
      { key: 'zoe', value: 'not json' },
    ]);
    await client.next('notifications');
    client.send({ rid: 1, command: 'ping' });
    await client.next((frame) => frame['rid'] === 1);
    const both = async () => (await Promise.all(nodes.map(async (node) => metricsOf(node)))).join('\n');
    await waitFor(async () => /^ws_gateway_kafka_deserialize_errors_total [1-9]/m.test(await both()));
    const text = await both();
    for (const [name, type] of Object.entries(METRICS)) expect(text).toContain(`# TYPE ws_gateway_${name} ${type}\n`);
    const perTopic = `topic="${kafkaTopic('notifications')}"|topic="notifications"`;
    for (const series of [
      'websocket_active_connections [1-9]',
      'websocket_connections_total [1-9]',
      'websocket_connection_duration_seconds_count [1-9]',
      'websocket_auth_errors_total [1-9]',
      'websocket_messages_sent_total\\{type="[a-z_]+"\\} [1-9]',
      'websocket_messages_received_total\\{type="ping"\\} [1-9]',
      'websocket_bytes_sent_total [1-9]',
      'websocket_bytes_received_total [1-9]',
      'websocket_message_latency_seconds_count [1-9]',
      `kafka_messages_processed_total\\{(${perTopic})\\} [1-9]`,
      `kafka_processing_rate\\{(${perTopic})\\} `,
      `kafka_consumer_lag\\{(${perTopic}),partition="\\d"\\} \\d`,
      'redis_client_registrations_total [1-9]',
      'redis_client_unregistrations_total [1-9]',
      'redis_message_publications_total [1-9]',
      'redis_operation_latency_seconds_count [1-9]',
      'http_requests_total\\{method="GET",path="/metrics"\\} [1-9]',
      'http_response_status_code_total\\{code="200"\\} [1-9]',
      'http_request_duration_seconds_count\\{path="/metrics"\\} [1-9]',
      'system_memory_usage_bytes [1-9]',
      'system_goroutine_count [1-9]',
      'business_messages_by_type_total\\{type="notification"\\} [1-9]',
      'business_messages_by_user_total\\{user="zoe"\\} [1-9]',
    ])
      expect(text).toMatch(new RegExp(`^ws_gateway_${series}`, 'm'));
    await client.close();
  });

  it('logs a line of JSON an event, as configured', () => {
    const [node] = nodes;
    expect(node!.output).toHaveLength(node!.logs.length);
    expect(node!.logs.map(({ level }) => level)).not.toContain('debug');
  });
});

describe('keys of the original file', () => {
  it('change what they say they change: port, path and namespace of metrics, topics, log level', async () => {
    // A variable that names a topic's Kafka topic makes it a topic.
    const own = Object.entries(env).filter(([name]) => !/^WSGATEWAY_TOPICS_(BALANCE|USER)/.test(name));
    const node = await startExample('topics', {
      ...Object.fromEntries(own),
      WSGATEWAY_REDIS_KEY_PREFIX: `${cluster}-second`,
      WSGATEWAY_KAFKA_GROUP_ID: `${cluster}-second`,
      WSGATEWAY_KAFKA_TOPICS: 'notifications',
      WSGATEWAY_METRICS_PATH: '/internal/metrics',
      WSGATEWAY_METRICS_NAMESPACE: 'shop',
      LOG_LEVEL: 'error',
    });
    try {
      expect(await metricsOf(node, '/internal/metrics')).toMatch(/^shop_websocket_active_connections 0$/m);
      expect((await fetch(`${node.httpUrl}/metrics`)).status).toBe(404);
      expect(node.output).toEqual([]);
      const refused = await WsClient.refused(`${node.wsUrl}/ws?token=${token('ann')}&topics=balance-updates`);
      expect(refused).toMatchObject({ status: 400, body: { error: { code: 'unknown_topic' } } });
    } finally {
      await node.stop();
    }
  }, 60_000);
});

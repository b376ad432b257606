import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createTopics,
  runPython,
  startSchemaRegistry,
  testBrokers,
  uniqueName,
  WsClient,
  type GatewayProcess,
  type SchemaRegistry,
} from '@ws-gateway/testkit';
import { run } from '../cli/running.js';
import { exampleFile, oneCluster, startExample, stopAll, token } from './example.js';

const PRODUCER = fileURLToPath(new URL('../../../../examples/avro/produce.py', import.meta.url));
const group = uniqueName('registered');
const names = ['orders', 'shipments', 'stock'];
const payloads: Readonly<Record<string, readonly string[]>> = {
  orders: [
    '{"owner":"u1","order_id":9223372036854775807}',
    '{"owner":"u1","order_id":9223372036854775807,"total":"12.50"}',
  ],
  shipments: [
    '{"owner":"u1","parcel_id":"18446744073709551615"}',
    '{"owner":"u1","state":"STATE_LEFT","place":{"city":"Köln"},"left_at":"2026-05-01T10:00:00.123456Z"}',
  ],
  stock: ['{"owner":"u1","left":3}'],
};

let registry: SchemaRegistry;
let node: GatewayProcess;
let client: WsClient;
let env: Readonly<Record<string, string>>;

// The registry and the serializers are not ours: Apicurio Registry, and Python's confluent-kafka.
beforeAll(async () => {
  const topics = names.map((name) => `${group}.${name}`);
  [registry] = await Promise.all([startSchemaRegistry(), createTopics(topics, 1)]);
  env = {
    ...oneCluster(),
    ...Object.fromEntries(
      names.map((name) => [`WSGATEWAY_TOPICS_${name.toUpperCase()}_KAFKA_TOPIC`, `${group}.${name}`]),
    ),
    WSGATEWAY_SCHEMA_REGISTRY_URL: registry.url,
    WSGATEWAY_KAFKA_GROUP_ID: group,
    KAFKA_BROKERS: testBrokers(),
  };
  node = await startExample('avro', env);
  client = await WsClient.open(`${node.wsUrl}/ws?token=${token('u1')}&topics=${names.join(',')}`);
  await client.next('connected');
}, 240_000);
afterAll(async () => {
  await client?.close();
  await stopAll(node);
  await registry?.stop();
}, 30_000);

it('what the serializers of a registry write arrives as the README says: two versions, nested messages, all digits', async () => {
  await runPython([PRODUCER, 'u1'], {
    SCHEMA_REGISTRY_URL: registry.url,
    KAFKA_BROKERS: testBrokers(),
    TOPIC_PREFIX: `${group}.`,
  });
  const wanted = names.flatMap((name) =>
    payloads[name]!.map((payload) => ({ event: name, payload: JSON.parse(payload) as object })),
  );
  const frames: Record<string, unknown>[] = [];
  while (frames.length < wanted.length) frames.push(await client.next(({ event }) => names.includes(event as string)));
  for (const name of names) {
    const ofTopic = (list: readonly object[]) => list.filter((one) => 'event' in one && one.event === name);
    expect(ofTopic(frames)).toMatchObject(ofTopic(wanted));
  }
}, 180_000);

it('explain reads the same records by the same registry', async () => {
  for (const name of names) {
    const explained = await run(['explain', name, '--last', '5', '--json', '-c', exampleFile('avro')], { env });
    expect([explained.code, explained.stderr]).toEqual([0, '']);
    for (const payload of payloads[name]!) expect(explained.stdout).toContain(`"payload":${payload}`);
  }
}, 60_000);

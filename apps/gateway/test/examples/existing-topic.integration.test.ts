import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createTopics,
  produce,
  testBrokers,
  uniqueName,
  WsClient,
  type GatewayProcess,
  type ProducedRecord,
} from '@ws-gateway/testkit';
import { run } from '../cli/running.js';
import { exampleFile, oneCluster, startExample, stopAll, token } from './example.js';

const group = uniqueName('existing');
const kafkaTopic = (name: string): string => `${group}-${name}`;
const names = ['payments', 'orders', 'events', 'quotes', 'limits'];
const topicVariables = Object.fromEntries(
  names.map((name) => [`WSGATEWAY_TOPICS_${name.toUpperCase()}_KAFKA_TOPIC`, kafkaTopic(name)]),
);

let node: GatewayProcess;
let client: WsClient;
beforeAll(async () => {
  await createTopics(names.map(kafkaTopic), 1);
  const env = { ...oneCluster(), ...topicVariables, WSGATEWAY_KAFKA_GROUP_ID: group, KAFKA_BROKERS: testBrokers() };
  node = await startExample('existing-topic', env);
  client = await WsClient.open(`${node.wsUrl}/ws?token=${token('u1')}&topics=${names.join(',')}&keys.quotes=AAPL`);
  await client.next('connected');
}, 90_000);
afterAll(async () => {
  await client?.close();
  await stopAll(node);
}, 30_000);

it.each<[string, ProducedRecord, object]>([
  [
    'payments',
    { key: null, value: '{"account":{"id":"u1"},"kind":"paid","status":"settled","amount":12.50}' },
    { type: 'paid', payload: { amount: 12.5 } },
  ],
  [
    'orders',
    { key: '{"id":1}', value: { op: 'u', before: { owner: 'u1' }, after: { owner: 'u1', total: 7 }, ts_ms: 1 } },
    { type: 'updated', payload: { owner: 'u1', total: 7 } },
  ],
  [
    'events',
    { key: null, value: { n: 1 }, headers: { ce_specversion: '1.0', ce_id: 'e-1', ce_type: 'done', ce_subject: 'u1' } },
    { id: 'e-1', type: 'done', payload: { n: 1 } },
  ],
  ['quotes', { key: null, value: { symbol: 'AAPL', bid: 1.5 } }, { key: 'AAPL', payload: { bid: 1.5 } }],
  ['quotes', { key: 'AAPL', value: null }, { key: 'AAPL', status: 'delete' }],
  ['limits', { key: 'u1', value: { limit: 100 } }, { status: 'update', payload: { limit: 100 } }],
  ['limits', { key: 'u1', value: null }, { status: 'delete', payload: null }],
])('a record of %s as its producer writes it reaches its user', async (name, record, expected) => {
  await produce(kafkaTopic(name), [record]);
  expect(await client.next(name)).toMatchObject(expected);
});

it('explain says beforehand what the README says', async () => {
  const value = '{"account":{"id":"u1"},"kind":"paid","status":"settled"}';
  const explained = await run(['explain', 'payments', '-c', exampleFile('existing-topic'), '--value', value, '--json']);
  expect([explained.code, JSON.parse(explained.stdout)]).toMatchObject([0, { audience: 'user:u1' }]);
});

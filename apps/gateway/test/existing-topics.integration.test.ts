import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RegistryServer, testBrokers, uniqueName } from '@ws-gateway/testkit';
import { configFile, run } from './cli/running.js';
import { GatewayCluster } from './gateway-cluster.js';

/** A record as somebody's back end writes it, and what a topic has to say for it to go where it should. */
interface Shape {
  readonly topic: Readonly<Record<string, unknown>>;
  readonly key?: string;
  readonly value: string | Buffer | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly audience: string;
  /** Members of the frame. */
  readonly frame: Readonly<Record<string, unknown>>;
}

const AVRO = {
  type: 'record',
  name: 'O',
  fields: [
    { name: 'owner', type: 'string' },
    { name: 'n', type: 'long' },
  ],
};
const PROTO = 'syntax = "proto3"; message Other {} message O { string owner_name = 1; int64 n = 2; }';
const json = (value: unknown): string => JSON.stringify(value);
const framed = (id: number, ...bytes: number[]): Buffer => Buffer.from([0, 0, 0, 0, id, ...bytes]);
const row = { id: 1, account_id: 'u1' };
const change = { op: 'u', before: null, after: row, ts_ms: 1767225600000 };
const event = { specversion: '1.0', id: 'e-1', type: 'paid', source: '/shop', subject: 'u1' };
const ceHeaders = { ce_specversion: '1.0', ce_id: 'e-2', ce_type: 'paid', ce_source: '/shop', ce_subject: 'u1' };

const shapes: Readonly<Record<string, Shape>> = {
  'plain JSON with the user in it': {
    topic: { format: 'json', map: { user: 'value:/accountId' } },
    ...{ key: 'k1', value: '{"accountId":"u1","amount":5.50}' },
    ...{ audience: 'user:u1', frame: { payload: { accountId: 'u1', amount: 5.5 } } },
  },
  'plain JSON, the key is the user': {
    topic: { format: 'json', map: { user: 'key' } },
    ...{ key: 'u1', value: '{"amount":5}' },
    ...{ audience: 'user:u1', frame: { payload: { amount: 5 } } },
  },
  'plain JSON with a header that names the audience': {
    topic: { format: 'json', map: { user: 'value:/nobody' } },
    ...{ key: 'k1', value: '{"amount":5}', headers: { 'ws-audience': 'user:u1', 'ws-id': 'n-1' } },
    ...{ audience: 'user:u1', frame: { id: 'n-1', payload: { amount: 5 } } },
  },
  'plain JSON with a number as the user': {
    topic: { format: 'json', map: { user: 'value:/user_id' } },
    ...{ value: '{"user_id":17}' },
    ...{ audience: 'user:17', frame: { user_id: '17', payload: { user_id: 17 } } },
  },
  'a change by Debezium without its wrapper': {
    topic: { format: 'debezium', map: { user: 'row:/account_id' } },
    ...{ key: '{"id":1}', value: json(change) },
    ...{ audience: 'user:u1', frame: { type: 'updated', payload: row, timestamp: '2026-01-01T00:00:00.000Z' } },
  },
  'a change by Debezium with its wrapper': {
    topic: { format: 'debezium', map: { user: 'row:/account_id' } },
    ...{ key: '{"schema":{},"payload":{"id":1}}', value: json({ schema: {}, payload: change }) },
    ...{ audience: 'user:u1', frame: { type: 'updated', payload: row } },
  },
  'a deletion by Debezium': {
    topic: { format: 'debezium', map: { user: 'row:/account_id' } },
    ...{ key: '{"id":1}', value: json({ op: 'd', before: row, after: null }) },
    ...{ audience: 'user:u1', frame: { type: 'deleted', payload: row } },
  },
  'a structured CloudEvent': {
    topic: { format: 'cloudevents' },
    ...{ value: json({ ...event, data: { n: 1 } }), headers: { 'content-type': 'application/cloudevents+json' } },
    ...{ audience: 'user:u1', frame: { id: 'e-1', type: 'paid', payload: { n: 1 } } },
  },
  'a binary CloudEvent': {
    topic: { format: 'cloudevents' },
    ...{ value: '{"n":1}', headers: { ...ceHeaders, 'content-type': 'application/json' } },
    ...{ audience: 'user:u1', frame: { id: 'e-2', type: 'paid', payload: { n: 1 } } },
  },
  'Avro of a registry': {
    topic: { format: 'avro', map: { user: 'value:/owner' } },
    ...{ value: framed(1, 4, 0x75, 0x31, 2) },
    ...{ audience: 'user:u1', frame: { payload: { owner: 'u1', n: 1 } } },
  },
  'Protobuf of a registry': {
    topic: { format: 'protobuf', map: { user: 'value:/owner_name' } },
    ...{ value: framed(2, 2, 2, 10, 2, 0x75, 0x31, 16, 1) },
    ...{ audience: 'user:u1', frame: { payload: { owner_name: 'u1', n: '1' } } },
  },
  'JSON Schema of a registry': {
    topic: { format: 'json-schema', map: { user: 'value:/owner' } },
    ...{ value: Buffer.concat([framed(3), Buffer.from('{"owner":"u1"}')]) },
    ...{ audience: 'user:u1', frame: { payload: { owner: 'u1' } } },
  },
  'plain text': {
    topic: { format: 'text', map: { user: 'key' } },
    ...{ key: 'u1', value: 'hello "you"' },
    ...{ audience: 'user:u1', frame: { payload: 'hello "you"' } },
  },
  'a JSON text': {
    topic: { format: 'json', map: { user: 'key' } },
    ...{ key: 'u1', value: '"17"' },
    ...{ audience: 'user:u1', frame: { payload: '17' } },
  },
  'a JSON number': {
    topic: { format: 'json', map: { user: 'key' } },
    ...{ key: 'u1', value: '18' },
    ...{ audience: 'user:u1', frame: { payload: 18 } },
  },
  'a record without a value on a compacted topic': {
    topic: { format: 'json', map: { user: 'key' }, mode: 'latest', tombstone: 'delete' },
    ...{ key: 'u1', value: null },
    ...{ audience: 'user:u1', frame: { status: 'delete', payload: null } },
  },
  'an envelope whose other audiences are empty, the key is the user': {
    topic: { audience: { fromKey: true } },
    ...{ key: 'u1', value: '{"user_id":"","room":"","hub":"","payload":{"n":1}}' },
    ...{ audience: 'user:u1', frame: { payload: { n: 1 } } },
  },
};

const cases = Object.entries(shapes).map(([shape, expected], index) => ({ shape, name: `t${index}`, ...expected }));
const topics = Object.fromEntries(cases.map(({ name, topic }) => [name, topic]));

let registry: RegistryServer;
let cluster: GatewayCluster;
let config: string;
beforeAll(async () => {
  registry = await RegistryServer.start({
    '/schemas/ids/1': { schema: json(AVRO) },
    '/schemas/ids/2': { schema: PROTO, schemaType: 'PROTOBUF' },
    '/schemas/ids/3': { schema: '{"type":"object"}', schemaType: 'JSON' },
  });
  const schemaRegistry = { url: registry.url };
  cluster = await GatewayCluster.open({ nodes: [{ config: { schemaRegistry } }], topics, partitions: 1 });
  const kafka = { groupId: uniqueName('beforehand'), topics: [], bootstrapServers: testBrokers() };
  config = configFile({ kafka, schemaRegistry, topics });
}, 60_000);
afterAll(async () => {
  await cluster?.close();
  await registry?.stop();
}, 30_000);

/** The audience and the frame that `explain` foretells. */
async function foretold({ name, key, value, headers = {} }: (typeof cases)[number]): Promise<Record<string, unknown>> {
  const args = ['explain', name, '-c', config, '--json'];
  if (key !== undefined) args.push('--key', key);
  for (const [header, text] of Object.entries(headers)) args.push('--header', `${header}=${text}`);
  if (value === null) args.push('--tombstone');
  else {
    const file = join(tmpdir(), `record-${randomBytes(8).toString('hex')}`);
    await writeFile(file, value);
    args.push('--file', file);
  }
  const { code, stdout, stderr } = await run(args);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('a topic that is there already works by configuration alone, and explain says so beforehand', () => {
  it.each(cases)(
    '$shape',
    async (shape) => {
      const { name, key = null, value, headers = {}, audience, frame } = shape;
      expect(await foretold(shape)).toMatchObject({ audience, frame: { topic: name, ...frame } });
      const client = await cluster.connect(0, audience.slice('user:'.length), name);
      await cluster.produce(name, { key, value, headers });
      expect(await client.next(name)).toMatchObject({ topic: name, ...frame });
      await client.close();
    },
    30_000,
  );
});

it('none of them was a dead letter', async () => {
  const metrics = await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text();
  const letters = metrics.split('\n').filter((line) => line.startsWith('ws_gateway_kafka_dead_letters_total{'));
  expect(letters.length).toBeGreaterThan(cases.length);
  expect(letters.filter((line) => !line.endsWith(' 0'))).toEqual([]);
});

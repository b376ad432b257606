import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createTopics,
  produce,
  RegistryServer,
  startGateway,
  uniqueName,
  waitFor,
  type Registered,
} from '@ws-gateway/testkit';
import { GatewayCluster } from './gateway-cluster.js';

/** Avro: {owner: "…", n: <long>} */
const SCHEMA = {
  ...{ type: 'record', name: 'Order' },
  fields: [
    { name: 'owner', type: 'string' },
    { name: 'n', type: 'long' },
  ],
};

/** Two messages in a file; the second one has another inside, behind a map, whose entries have a number as well. */
const PROTO = `syntax = "proto3";
package shop;
import "shop/place.proto";
message Parcel { string owner = 1; }
message Shipment {
  map<string, int64> weights = 1;
  message Stop { string owner = 1; uint64 stop_id = 2; State state = 3; Place place = 4; }
  enum State { UNKNOWN = 0; LEFT = 1; }
}`;
const PLACE = 'syntax = "proto3"; package shop; message Place { string city = 1; }';

const answers: Readonly<Record<string, Registered>> = {
  '/schemas/ids/7': { schema: JSON.stringify(SCHEMA) },
  '/schemas/ids/9': {
    ...{ schemaType: 'PROTOBUF', schema: PROTO },
    references: [{ name: 'shop/place.proto', subject: 'place', version: 3 }],
  },
  '/subjects/place/versions/3': { schemaType: 'PROTOBUF', schema: PLACE },
};

let registry: RegistryServer;
let cluster: GatewayCluster;

beforeAll(async () => {
  registry = await RegistryServer.start(answers);
  registry.failWith = 503;
  cluster = await GatewayCluster.open({
    nodes: [{ config: { schemaRegistry: { url: registry.url } } }],
    topics: {
      orders: { format: 'avro', map: { user: 'value:/owner' } },
      shipments: { format: 'protobuf', map: { user: 'value:/owner', id: 'value:/stop_id', type: 'value:/state' } },
    },
    partitions: 1,
  });
}, 60_000);
afterAll(async () => {
  await cluster.close();
  await registry.stop();
}, 30_000);

function order(schemaId: number, owner: string, n: number): Buffer {
  const name = Buffer.from(owner);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, schemaId, 2 * name.length]), name, Buffer.from([2 * n])]);
}

async function ready(node = cluster.nodes[0]!): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${node.httpUrl}/ready`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

it('waits with the records of a topic while the registry is away, says so, and delivers them afterwards', async () => {
  const client = await cluster.connect(0, 'ann', 'orders,notifications');
  await cluster.produce('orders', { key: 'k', value: order(7, 'ann', 1) }, { key: 'k', value: order(7, 'ann', 2) });
  await waitFor(async () => (await ready()).body['warnings'] !== undefined);
  expect(await ready()).toMatchObject({ status: 200, body: { warnings: ['schema-registry'] } });
  // Other topics flow meanwhile.
  await cluster.produce('notifications', { key: 'ann', value: { user_id: 'ann', payload: 'meanwhile' } });
  await client.next(({ payload }) => payload === 'meanwhile');

  registry.failWith = 0;
  const frames = [await client.next('orders'), await client.next('orders')];
  expect(frames.map(({ payload }) => payload)).toEqual([
    { owner: 'ann', n: 1 },
    { owner: 'ann', n: 2 },
  ]);
  await waitFor(async () => (await ready()).body['warnings'] === undefined);
  await client.close();
});

it('is not ready while none of its topics can do without the registry that is away', async () => {
  const kafkaTopic = uniqueName('only-orders');
  await createTopics([kafkaTopic], 1);
  registry.failWith = 503;
  const node = await startGateway({
    config: {
      kafka: { groupId: kafkaTopic, topics: [] },
      redis: { keyPrefix: kafkaTopic },
      topics: { orders: { kafkaTopic, format: 'avro', map: { user: 'value:/owner' } } },
      schemaRegistry: { url: registry.url },
    },
  });
  try {
    await produce(kafkaTopic, [{ key: 'k', value: order(7, 'ann', 1) }]);
    await waitFor(async () => (await ready(node)).status === 503);
    expect(await ready(node)).toMatchObject({
      body: { status: 'unready', failing: ['schema-registry'], warnings: ['schema-registry'] },
    });
    expect(node.logs).toContainEqual(
      expect.objectContaining({
        level: 'error',
        url: registry.url,
        message: expect.stringContaining('schema registry'),
      }),
    );
    registry.failWith = 0;
    await waitFor(async () => (await ready(node)).status === 200);
  } finally {
    registry.failWith = 0;
    await node.stop();
  }
}, 60_000);

it('makes dead letters of what is not framed and of schemas that do not exist', async () => {
  await cluster.produce('orders', { key: 'k', value: '{"owner":"ann"}' }, { key: 'k', value: order(8, 'ann', 1) });
  await waitFor(async () => {
    const metrics = await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text();
    return ['bad_magic', 'unknown_schema'].every((reason) =>
      metrics.includes(`ws_gateway_kafka_dead_letters_total{topic="orders",reason="${reason}"} 1`),
    );
  });
});

it('delivers Protobuf, of whichever message of a file and with what the file imports', async () => {
  const client = await cluster.connect(0, 'ann', 'shipments');
  const parcel = Buffer.from([0, 0, 0, 0, 9, 0, 10, 3, ...Buffer.from('ann')]);
  const digits = [16, ...new Array<number>(9).fill(0xff), 1];
  // Message 1 (Shipment), in it message 1 (Stop).
  const head = [0, 0, 0, 0, 9, 4, 2, 2];
  const stop = Buffer.from([...head, 10, 3, ...Buffer.from('ann'), ...digits, 24, 1, 34, 3, 10, 1, 0x58]);
  await cluster.produce('shipments', { key: 'k', value: parcel }, { key: 'k', value: stop });
  expect(await client.next('shipments')).toMatchObject({ payload: { owner: 'ann' } });
  expect(await client.next('shipments')).toMatchObject({
    ...{ id: '18446744073709551615', type: 'LEFT' },
    payload: { owner: 'ann', stop_id: '18446744073709551615', state: 'LEFT', place: { city: 'X' } },
  });
  await client.close();
});

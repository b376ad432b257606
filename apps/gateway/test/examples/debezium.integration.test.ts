import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  createTopics,
  freePort,
  startPostgres,
  testBrokers,
  testCacheDir,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
  type Postgres,
} from '@ws-gateway/testkit';
import { metric } from '../faults/gateway-processes.js';
import { oneCluster, startExample, stopAll, token } from './example.js';

const SCRIPT = fileURLToPath(new URL('../../../../examples/debezium/run.sh', import.meta.url));
const prefix = uniqueName('shop');

let postgres: Postgres;
let node: GatewayProcess;
let client: WsClient;
let script: ChildProcess | null = null;

// PostgreSQL, Kafka Connect and Debezium are the real ones: examples/debezium/run.sh fetches the last two by Maven.
beforeAll(async () => {
  const topic = `${prefix}.public.orders`;
  [postgres] = await Promise.all([startPostgres(), createTopics([topic], 1)]);
  const env = { WSGATEWAY_TOPICS_ORDERS_KAFKA_TOPIC: topic, WSGATEWAY_KAFKA_GROUP_ID: prefix };
  node = await startExample('debezium', { ...oneCluster(), ...env, KAFKA_BROKERS: testBrokers() });
  client = await WsClient.open(`${node.wsUrl}/ws?token=${token('u1')}&topics=orders`);
  await client.next('connected');
}, 180_000);
afterAll(async () => {
  await client?.close();
  if (script !== null && script.exitCode === null) {
    const ended = once(script, 'close');
    script.kill('SIGTERM');
    await ended;
  }
  await stopAll(node);
  await postgres?.stop();
}, 60_000);

async function runScript(): Promise<string> {
  const env = {
    ...{ PGPORT: String(postgres.port), KAFKA_BROKERS: testBrokers(), TOPIC_PREFIX: prefix },
    CONNECT_PORT: String(await freePort()),
    DEBEZIUM_JARS: join(testCacheDir, 'debezium-3.3.1'),
    PATH: `${postgres.programs}:${process.env['PATH']}`,
  };
  let output = '';
  script = spawn(SCRIPT, [], { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  script.stdout!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  script.stderr!.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(script, 'close').then(() => Promise.reject(new Error(`run.sh ended: ${output}`)));
  const changed = new Promise<void>((resolve) => {
    script!.stdout!.on('data', () => output.includes('rows changed') && resolve());
  });
  await Promise.race([changed, ended]);
  ended.catch(() => undefined);
  return output;
}

it('rows that psql changes reach the sockets of their owner, read, created, updated and deleted', async () => {
  await runScript();
  const frames: Record<string, unknown>[] = [];
  while (frames.length < 5) frames.push(await client.next('orders'));
  const large = { id: 9007199254740992, owner: 'u1', note: 'Grüße' };
  expect(frames).toMatchObject([
    { type: 'read', payload: { id: 1, owner: 'u1', total: '5.00', note: 'before Debezium' } },
    { type: 'created', payload: { ...large, total: '12.50' } },
    { type: 'updated', payload: { ...large, total: '13.75' } },
    { type: 'updated', payload: { id: 1, total: '1.00' } },
    { type: 'deleted', payload: { ...large, total: '13.75' } },
  ]);
  // JSON.parse rounds the number; the socket carries all of its digits.
  expect(client.texts.filter((text) => text.includes('"id":9007199254740993,'))).toHaveLength(3);
  // The record without a value that Debezium writes behind a deletion is the last one, and no sixth frame.
  await waitFor(async () => (await metric(node, 'kafka_records_skipped_total{topic="orders"}')) === 1);
  expect(client.texts.filter((text) => text.includes('"event":"orders"'))).toHaveLength(5);
}, 180_000);

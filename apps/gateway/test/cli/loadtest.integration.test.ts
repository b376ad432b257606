import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TEST_SECRET, testBrokers, waitFor } from '@ws-gateway/testkit';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run, start } from './running.js';
import { GatewayCluster, record } from '../gateway-cluster.js';

let cluster: GatewayCluster;
let folder: string;

beforeAll(async () => {
  cluster = await GatewayCluster.open({ nodes: [{}, { role: 'edge' }] });
  folder = mkdtempSync(join(tmpdir(), 'wsg-loadtest-'));
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true });
}, 60_000);

/** Configuration that the tool needs; `kafkaTopic` feeds the topic that it writes to. */
function config(kafkaTopic: string): string {
  const file = join(folder, `${kafkaTopic}.yaml`);
  const topics = { notifications: { kafkaTopic } };
  writeFileSync(
    file,
    JSON.stringify({ kafka: { bootstrapServers: testBrokers() }, auth: { secret: TEST_SECRET }, topics }),
  );
  return file;
}

const urls = (): string[] => cluster.nodes.map(({ wsUrl }) => wsUrl);
const few = ['--users', '20', '--rate', '200', '--seconds', '1'];

describe('loadtest', () => {
  test('says that everything came, and how fast', async () => {
    const args = ['loadtest', ...urls(), '-c', config(cluster.kafkaTopic('notifications')), ...few];
    const { code, stdout, stderr } = await run(args);
    expect([code, stderr]).toEqual([0, 'connecting 20\ndelivering 200\n']);
    const [head, counts, , times, acknowledged, delivered] = stdout.split('\n');
    expect(head).toMatch(/^records +received +lost +duplicates +out of order +misdelivered +ended$/);
    expect(counts!.trim().split(/ +/)).toEqual(['200', '200', '0', '0', '0', '0', '0']);
    expect(times).toMatch(/^ms +p50 +p90 +p99 +p999 +max$/);
    expect(acknowledged).toMatch(/^acknowledged by Kafka( +\d+\.\d){5}$/);
    expect(delivered).toMatch(/^frame at the client( +\d+\.\d){5}$/);
  });

  test('as JSON, too', async () => {
    const args = ['loadtest', ...urls(), '-c', config(cluster.kafkaTopic('notifications')), ...few, '--json'];
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ records: 200, received: 200, lost: 0, duplicates: 0, out_of_order: 0, misdelivered: 0, ended: 0 },
      latency_ms: { acknowledged: { p50: expect.any(Number) }, delivered: { p99: expect.any(Number) } },
    });
  });

  test('exits with 1 when a record came twice', async () => {
    const args = ['loadtest', urls()[0]!, '-c', config(cluster.kafkaTopic('notifications')), '--json'];
    const running = start([...args, '--users', '1', '--rate', '50', '--seconds', '2']);
    await waitFor(() => running.stderr().includes('delivering'), { what: 'the sockets' });
    // A second producer writes the same number again.
    await cluster.produce('notifications', record('load-000000', { n: 0, title: 'load' }));
    const { code, stdout, stderr } = await running.ended;
    expect(JSON.parse(stdout)).toMatchObject({ records: 100, lost: 0, duplicates: 1 });
    expect([code, stderr]).toEqual([1, expect.stringContaining('not every record arrived once and in order')]);
  });

  test('exits with 1 when a socket is refused, and with 2 when it is used wrongly', async () => {
    const file = config(cluster.kafkaTopic('notifications'));
    const nobody = await run(['loadtest', 'ws://127.0.0.1:1', '-c', file, ...few]);
    expect([nobody.code, nobody.stderr]).toEqual([1, expect.stringContaining('20 of 20 sockets did not connect')]);
    for (const [args, text] of [
      [['wss://localhost'], 'only ws://'],
      [['--topic', 'balance-updates'], 'balance-updates is not a topic'],
      [['--topic', 'nope'], 'nope is not a topic'],
      [['--users', '0'], 'It must be a whole number from 1'],
    ] as const) {
      const { code, stderr } = await run(['loadtest', '-c', file, ...args]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(text)]);
    }
  });
});

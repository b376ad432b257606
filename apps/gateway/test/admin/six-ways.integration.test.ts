import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { start, type Running } from '../cli/running.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { ADMIN_TOKEN, call } from './admin-client.js';

/** Why did u1 not get it? Six ways to lose a notification, on two nodes under load, each told by the command line. */

let cluster: GatewayCluster;
let trace: Running;
let underLoad = true;
let load: Promise<void>;
const others: WsClient[] = [];

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({
    nodes: [{ config }, { config }],
    topics: {
      notifications: { ttl: '10m', slow: 'drop-oldest', queueBytes: '64kb' },
      // Expired messages of such a topic are told of to their producer, too.
      invoices: { ttl: '10m', deliveries: true },
      rates: {},
    },
  });
  for (let n = 0; n < 20; n++) others.push(await cluster.connect(n % 2, `other-${n}`, 'notifications'));
  load = produceUntilTheEnd();
  trace = start(['trace', '--user', 'u1', '--json', '--url', cluster.nodes[0]!.httpUrl], {
    env: { WSGATEWAY_ADMIN_TOKEN: ADMIN_TOKEN },
  });
  await waitFor(() => trace.stderr().includes('following'), { what: 'the trace', timeoutMs: 30_000 });
}, 120_000);

afterAll(async () => {
  underLoad = false;
  await load;
  trace?.child.kill('SIGINT');
  await trace?.ended;
  await Promise.all(others.map((client) => client.close()));
  await cluster?.close();
}, 60_000);

async function produceUntilTheEnd(): Promise<void> {
  while (underLoad) {
    const records = others.map((_, n) => record(`other-${n}`, 'x'.repeat(200)));
    await cluster.produce('notifications', ...records);
    await delay(50);
  }
}

/** Steps that were printed so far about a message, or about none. */
function steps(id: string | null): Readonly<Record<string, unknown>>[] {
  return trace
    .stdout()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((step) => step['id'] === id);
}

async function untilTold(id: string | null, wanted: object): Promise<Readonly<Record<string, unknown>>> {
  const fits = (step: object): boolean => Object.entries(wanted).every(([name, value]) => Object(step)[name] === value);
  const what = `${JSON.stringify(wanted)} of ${id ?? 'no message'}`;
  return waitFor(() => steps(id).find(fits), { what, timeoutMs: 60_000 });
}

describe('a notification that u1 did not get is explained by ws-gateway trace', () => {
  it('when u1 was offline, and is in the history for when it comes back', async () => {
    await cluster.produce('notifications', record('u1', {}, { id: 'n-offline' }));
    await untilTold('n-offline', { event: 'offline', topic: 'notifications' });
    expect(steps('n-offline').map(({ event }) => event)).toEqual(['record', 'offline']);
    const stream = encodeURIComponent('notifications/u/u1');
    const { body } = await call(cluster.nodes[1]!, `GET /api/history/${stream}`);
    expect(body['messages']).toMatchObject([{ id: 'n-offline' }]);
    expect((await call(cluster.nodes[1]!, 'GET /api/connections?user=u1')).body).toEqual({ connections: [] });
  });

  it('when u1 was connected and not subscribed to its topic', async () => {
    const client = await cluster.connect(1, 'u1', 'rates');
    await cluster.produce('notifications', record('u1', {}, { id: 'n-topic' }));
    await untilTold('n-topic', { event: 'dropped', reason: 'not_subscribed' });
    const { body } = await call(cluster.nodes[0]!, 'GET /api/connections?user=u1');
    expect(body['connections']).toMatchObject([{ user: 'u1', topics: ['rates'] }]);
    await client.close();
  });

  it.each(['notifications', 'invoices'])('when it was too old, by its id, in %s', async (topic) => {
    const old = record('u1', {}, { id: `n-old-${topic}` });
    await cluster.produce(topic, { ...old, timestamp: Date.now() - 3_600_000 });
    const told = await untilTold(`n-old-${topic}`, { event: 'record', reason: 'expired' });
    expect(told).toMatchObject({ topic, user: 'u1', message: expect.stringContaining('older than') });
  });

  it('when it could not be read, and is kept as a dead letter', async () => {
    await cluster.produce('notifications', { key: 'u1', value: '{"user_id":"u1","id":"n-dead","payload":' });
    const { partition, offset } = await untilTold(null, { event: 'record', reason: 'not_json' });
    const letter = await waitFor(
      async () => {
        const { body } = await call(cluster.nodes[1]!, 'GET /api/dead-letters?reason=not_json&limit=10');
        return (body['letters'] as Record<string, unknown>[]).find((each) => each['partition'] === partition);
      },
      { timeoutMs: 60_000 },
    );
    expect(letter).toMatchObject({ offset, reason: 'not_json' });
  });

  it('when u1 read too slowly and the policy of the topic gave it up', async () => {
    const client = await cluster.connect(0, 'u1', 'notifications');
    client.pause();
    for (let batch = 0; batch < 40 && !trace.stdout().includes('drop-oldest'); batch++) {
      const ids = Array.from({ length: 20 }, (_, n) => `n-slow-${batch * 20 + n}`);
      await cluster.produce('notifications', ...ids.map((id) => record('u1', 'x'.repeat(40_000), { id })));
    }
    const given = await waitFor(() => /^.*"reason":"drop-oldest".*$/m.exec(trace.stdout()), { timeoutMs: 60_000 });
    const dropped = JSON.parse(given[0]) as Record<string, unknown>;
    expect(dropped).toMatchObject({ event: 'dropped', user: 'u1', topic: 'notifications' });
    await untilTold(dropped['id'] as string, { event: 'slow' });
    const { body } = await call(cluster.nodes[1]!, 'GET /api/connections?user=u1&slow=true');
    expect(body['connections']).toMatchObject([{ user: 'u1', connection: dropped['connection'] }]);
    client.resume();
    await client.close();
  });

  it('when u1 cannot connect', async () => {
    const refused = await WsClient.refused(cluster.url(1, `token=${token('u1', { exp: 1 })}&topics=notifications`));
    expect(refused.status).toBe(401);
    await untilTold(null, { event: 'refused', reason: 'token_expired', address: '127.0.0.1' });
    const lines = cluster.nodes[1]!.logs.filter(({ message }) => message === 'handshake refused');
    expect(lines).toEqual([expect.objectContaining({ level: 'warn', code: 'token_expired' })]);
  });
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin-client.js';
import { TraceReader, type Step } from './traced.js';
import { start } from '../cli/running.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;
let readers: TraceReader[] = [];

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({
    topics: {
      notifications: { ack: true },
      rates: { mode: 'latest', slow: 'conflate', queueBytes: '64kb' },
      filtered: { ttl: '1m' },
    },
    nodes: [
      { role: 'router', config },
      { role: 'edge', config },
      { role: 'edge', config },
    ],
  });
}, 90_000);
afterEach(() => {
  for (const reader of readers) reader.close();
  readers = [];
});
afterAll(() => cluster?.close(), 60_000);

/** Asks one node; what is traced happens on the others. */
async function trace(query: string, at = 2): Promise<TraceReader> {
  const reader = await TraceReader.open(cluster.nodes[at]!, query);
  readers.push(reader);
  return reader;
}

function nodeOf(client: WsClient): string {
  return (client.frames[0]!['payload'] as { node: string }).node;
}

function story(steps: readonly Step[]): string[] {
  return steps.map(({ event }) => event);
}

describe('GET /api/trace', () => {
  it('tells of a user from the handshake to the close, on whichever node', async () => {
    const reader = await trace('user=u1');
    expect(reader.response.headers.get('content-type')).toBe('text/event-stream');
    const client = await cluster.connect(1, 'u1', 'notifications');
    await cluster.produce('notifications', record('u1', { n: 1 }, { id: 'n-1' }), record('other', { n: 2 }));
    const frame = await client.next('notifications');
    client.send({ rid: 1, command: 'ack', options: { stream: frame['stream'], offset: frame['offset'] } });
    await client.next('ack');
    await client.close();
    const steps = await reader.until('closed');
    expect(story(steps)).toEqual(['connected', 'record', 'routed', 'sent', 'acked', 'closed']);
    const [connected, read, routed, sent, acked, closed] = steps.map(({ data }) => data);
    const connection = (client.frames[0]!['payload'] as { connection: string }).connection;
    const here = { user: 'u1', node: nodeOf(client), connection, timestamp: expect.stringMatching(/Z$/) };
    expect(connected).toMatchObject({ ...here, id: null, endpoint: '/ws', address: '127.0.0.1' });
    expect(read).toMatchObject({ id: 'n-1', user: 'u1', topic: 'notifications', offset: 0, audience: 'user:u1' });
    expect(read).toMatchObject({ partition: expect.any(Number), node: routed!['node'] });
    expect(routed).toMatchObject({ id: 'n-1', user: 'u1', nodes: 1, position: { offset: 1 } });
    expect(sent).toMatchObject({ ...here, id: 'n-1', topic: 'notifications', queued_bytes: expect.any(Number) });
    expect(acked).toMatchObject({ ...here, offset: 1 });
    expect(closed).toMatchObject({ ...here, code: 1000 });
  });

  it('tells of one message by its id, also when it is replayed later and acknowledged', async () => {
    const reader = await trace('id=n-7');
    await cluster.produce('notifications', record('u7', {}, { id: 'n-7' }), record('u7', {}, { id: 'n-8' }));
    await reader.until('offline');
    const client = await cluster.connect(1, 'u7', 'notifications');
    const frame = await client.next('notifications');
    client.send({ rid: 1, command: 'ack', options: { stream: frame['stream'], offset: 1 } });
    await client.next('ack');
    const steps = await reader.until('acked');
    expect(story(steps)).toEqual(['record', 'offline', 'replayed', 'sent', 'acked']);
    for (const { data } of steps) expect(data).toMatchObject({ id: 'n-7', user: 'u7' });
    await client.close();
  });

  it('says why a message came to nobody', async () => {
    const reader = await trace('user=u2');
    const client = await cluster.connect(1, 'u2', 'rates');
    // Not subscribed to it; too old; unreadable; a wrong token; blocked.
    await cluster.produce('notifications', record('u2', {}, { id: 'wrong-topic' }));
    const old = { ...record('u2', {}, { id: 'old' }), timestamp: Date.now() - 3_600_000 };
    await cluster.produce('filtered', old, { key: 'u2', value: '{' });
    const refused = await WsClient.refused(cluster.url(1, `token=${token('u2', { exp: 1 })}`));
    expect(refused.status).toBe(401);
    await call(cluster.nodes[1]!, 'POST /api/blocks/u2', { body: { reason: 'fraud' } });
    expect((await client.closed).code).toBe(4500);
    await WsClient.refused(cluster.url(2, `token=${token('u2')}`));
    const steps = await reader.until('refused', 2);
    const reasons = (event: string) => steps.filter((step) => step.event === event).map(({ data }) => data['reason']);
    expect(steps.filter(({ event }) => event === 'dropped').map(({ data }) => [data['topic'], data['reason']])).toEqual(
      [
        ['notifications', 'not_subscribed'],
        ['user-blocks', 'not_subscribed'],
      ],
    );
    const unused = steps.filter(({ event, data }) => event === 'record' && data['reason'] !== undefined);
    expect(unused.map(({ data }) => [data['id'], data['reason']])).toEqual([
      ['old', 'expired'],
      [null, 'not_json'],
    ]);
    expect(reasons('refused')).toEqual(['token_expired', 'user_blocked']);
    expect(reasons('closed')).toEqual(['fraud']);
  });

  it('tells what waits for a slow client and what its policy gives up', async () => {
    const reader = await trace('user=u3');
    const client = await cluster.connect(1, 'u3', 'rates');
    client.pause();
    const values = Array.from({ length: 400 }, (_, n) => record('u3', { n, text: 'x'.repeat(40_000) }));
    while (values.length > 0) await cluster.produce('rates', ...values.splice(0, 20));
    const steps = await reader.until('dropped');
    expect(steps.find(({ event }) => event === 'dropped')!.data).toMatchObject({ user: 'u3', reason: 'conflate' });
    expect(story(steps)).toContain('slow');
    client.resume();
    await client.close();
  });

  it('is for ten at once in the whole cluster, and comes free again', async () => {
    for (let n = 0; n < 10; n++) expect((await trace(`user=t${n}`, n % 3)).response.status).toBe(200);
    for (const at of [0, 1, 2]) {
      const refused = await trace('user=one-too-many', at);
      expect(refused.response.status).toBe(429);
      expect(await refused.response.json()).toMatchObject({ error: { code: 'too_many_traces' } });
    }
    readers[0]!.close();
    await waitFor(async () => (await trace('user=the-next', 1)).response.status === 200, { what: 'a place' });
  });

  it('is printed step by step by ws-gateway trace', async () => {
    const at = ['--url', cluster.nodes[0]!.httpUrl, '--admin-token', ADMIN_TOKEN];
    const text = start(['trace', '--id', 'n-9', ...at]);
    const json = start(['trace', '--user', 'u9', '--json', ...at]);
    await waitFor(() => [text, json].every(({ stderr }) => stderr().includes('following')));
    await cluster.produce('notifications', record('u9', {}, { id: 'n-9' }));
    expect(await text.line('offline')).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}offline {4}n-9 {2}u9 {2}topic=notifications /,
    );
    expect(JSON.parse(await json.line('offline'))).toMatchObject({ event: 'offline', id: 'n-9', user: 'u9' });
    for (const running of [text, json]) {
      running.child.kill('SIGINT');
      expect((await running.ended).code).toBe(0);
    }
    const usage = await start(['trace', '--id', 'a', '--user', 'b', ...at]).ended;
    expect([usage.code, usage.stderr]).toEqual([2, expect.stringContaining('either --user or --id')]);
  });

  it('refuses what is no question', async () => {
    for (const query of ['', 'user=', 'id=', 'user=a&id=b']) {
      expect([query, (await trace(query)).response.status]).toEqual([query, 400]);
    }
  });
});

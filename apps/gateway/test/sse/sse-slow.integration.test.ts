import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { metric } from '../faults/gateway-processes.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { SseClient } from './sse-client.js';

let cluster: GatewayCluster;
const clients: SseClient[] = [];
let users = 0;

beforeAll(async () => {
  const history = { size: 10 };
  cluster = await GatewayCluster.open({
    topics: {
      queued: { slow: 'queue', history },
      roomy: { slow: 'queue', queueBytes: '64mb', history },
      conflated: { slow: 'conflate', history },
      dropping: { slow: 'drop-oldest', history },
    },
  });
});
afterAll(() => cluster.close());
afterEach(() => clients.splice(0).forEach((client) => client.close()));

async function open(user: string, topics: string): Promise<SseClient> {
  const client = await SseClient.open(`${cluster.nodes[0]!.httpUrl}/sse?token=${token(user)}&topics=${topics}`);
  clients.push(client);
  await client.next('connected');
  return client;
}

const TEXT_BYTES = 100_000;

/** Text that no neighbour of it resembles, so that what is missing or moved is seen. */
function textOf(n: number): string {
  return createHash('sha512')
    .update(String(n))
    .digest('hex')
    .repeat(Math.ceil(TEXT_BYTES / 128))
    .slice(0, TEXT_BYTES);
}

interface Numbered {
  readonly n: number;
  readonly text: string;
}

async function produce(topic: string, user: string, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) await cluster.produce(topic, record(user, { n, text: textOf(n) }));
}

const numbers = (client: SseClient): number[] => (client.payloads as Numbered[]).map(({ n }) => n);

function expectWhole(client: SseClient): void {
  for (const { n, text } of client.payloads as Numbered[]) expect(text === textOf(n)).toBe(true);
}

describe('a client of server-sent events that reads slowly', () => {
  it('gets every byte of many large messages, in order, as far as its queue holds them', async () => {
    const user = `slow-${++users}`;
    const client = await open(user, 'roomy');
    client.pause();
    const count = 120;
    await produce('roomy', user, count);
    await backlog();
    client.resume();
    await client.count(count);
    expect(numbers(client)).toEqual(Array.from({ length: count }, (_, at) => at + 1));
    expectWhole(client);
  }, 90_000);

  it('is closed with 4001 when the queue of a topic is full, and resumes as far as history goes', async () => {
    const user = `slow-${++users}`;
    const client = await open(user, 'queued');
    client.pause();
    const count = 120;
    await produce('queued', user, count);
    await waitFor(async () => (await metric(cluster.nodes[0]!, 'websocket_closes_total{code="4001"}')) > 0);
    client.resume();
    await client.ended;
    const last = client.events.at(-1)!;
    const had = numbers(client);
    if (last.event === 'close') expect(JSON.parse(last.data)).toMatchObject({ code: 4001, reason: 'slow_consumer' });
    expect(had).toEqual(Array.from({ length: had.length }, (_, at) => at + 1));
    expect(had.length).toBeLessThan(count);
    const back = await SseClient.open(`${cluster.nodes[0]!.httpUrl}/sse?token=${token(user)}&topics=queued`, {
      'last-event-id': last.id,
    });
    clients.push(back);
    await back.count(10);
    const [row] = (back.frames[0] as { payload: { topics: { recovered: boolean }[] } }).payload.topics;
    expect([row!.recovered, numbers(back)]).toEqual([false, Array.from({ length: 10 }, (_, at) => count - 9 + at)]);
    expectWhole(back);
  }, 90_000);

  it.each(['conflated', 'dropping'])(
    'gets the newest of a topic that is %s, whole and in order',
    async (topic) => {
      const user = `slow-${++users}`;
      const client = await open(user, topic);
      client.pause();
      const count = 120;
      await produce(topic, user, count);
      await backlog();
      client.resume();
      await waitFor(() => numbers(client).at(-1) === count);
      const got = numbers(client);
      expect(got.length).toBeLessThan(count);
      expect(got).toEqual([...new Set(got)].sort((one, other) => one - other));
      expectWhole(client);
      const back = await SseClient.open(`${cluster.nodes[0]!.httpUrl}/sse?token=${token(user)}&topics=${topic}`, {
        'last-event-id': client.lastId,
      });
      clients.push(back);
      await back.next('connected');
      expect(back.frames[0]).toMatchObject({ payload: { topics: [{ recovered: true, replayed: 0 }] } });
    },
    90_000,
  );

  it('gets a history that is longer than its queue page by page, from where it was', async () => {
    const user = `slow-${++users}`;
    const first = await open(user, 'dropping');
    await produce('dropping', user, 10);
    await first.count(10);
    const back = await SseClient.open(`${cluster.nodes[0]!.httpUrl}/sse?token=${token(user)}&topics=dropping`, {
      'last-event-id': first.events[0]!.id,
    });
    clients.push(back);
    await back.count(10);
    expect(numbers(back)).toEqual(numbers(first));
    expect(new Set(back.events.map(({ id }) => id)).size).toBe(11);
  });
});

/** The gateway knows that the client does not keep up. */
async function backlog(): Promise<void> {
  await waitFor(async () => (await metric(cluster.nodes[0]!, 'websocket_message_buffer_size')) > 0);
}

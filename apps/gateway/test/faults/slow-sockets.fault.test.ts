import { afterEach, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';
import { percentile, type ListeningClients } from './listening-clients.js';
import { metric, type GatewayProcesses } from './gateway-processes.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load, TOPIC } from './load.js';
import { isFull, promisedMs, report, scale, userNames } from './scale.js';
import { SteadyProducer } from './steady-producer.js';

const CONFLATED = 'balance-updates';
const SLOW_SHARE = 0.05;
/**
 * Records that all clients get. The slow ones then get more, until the kernel's buffers are full: 6 to 30 MB here on
 * loopback.
 */
const FLOOD = isFull
  ? { bytes: 16_000, perSecond: 30, seconds: 25, pauseMs: 2000 }
  : { bytes: 32_000, perSecond: 80, seconds: 4, pauseMs: 500 };
/**
 * Bytes of memory the node may grow by, beyond what the queues of the slow clients may hold: 256 KiB each, and twice
 * that in copies and buffers.
 */
const GROWTH_BYTES_MAX = 96 * 1024 * 1024;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// Fails when a socket that is not read makes the node wait, keep without bound, or skip what may not be skipped.
it(
  'sockets that are never read hurt nobody else: `queue` ends with 4001, `conflate` keeps the newest, memory is bounded',
  async () => {
    const load = await Load.open({
      nodes: [{ role: 'all' }],
      // A client that does not read for half a minute sees no ping either, and would be taken for dead before the end.
      heartbeat: '120s',
      topics: {
        [TOPIC]: { history: { size: 20, ttl: '1m' }, slow: 'queue', queueBytes: '256kb' },
        [CONFLATED]: { mode: 'latest', slow: 'conflate' },
      },
    });
    cleanups.push(() => load.close());
    const { clients, cluster } = load;
    const slow = await SlowClients.open(cluster, Math.max(2, Math.round(scale.users * SLOW_SHARE)));
    cleanups.push(() => slow.close());

    // The same traffic comes twice: first everybody reads, then the slow ones do not.
    const reading = await measured(clients, () => slow.flood());
    await slow.upToDate();
    const memoryBefore = await metric(cluster.nodes[0]!, 'system_memory_usage_bytes');
    slow.pause();
    const actions = (policy: string): Promise<number> =>
      metric(cluster.nodes[0]!, `slow_consumer_actions_total{policy="${policy}"}`);
    const isFelt = async (): Promise<boolean> =>
      (await actions('queue')) === slow.queued.length && (await actions('conflate')) > 0;
    const paused = await measured(clients, () => slow.flood(isFelt));
    const memoryAfter = await metric(cluster.nodes[0]!, 'system_memory_usage_bytes');
    // The others have everything while the slow ones still do not read: nobody waits for them.
    const verdict = await load.verdict();
    slow.resume();

    await report('5 % of sockets never read', {
      slow: slow.size,
      floodMBytesASocket: (FLOOD.bytes * FLOOD.perSecond * FLOOD.seconds) / 1e6,
      p50WhenAllRead: reading.p50,
      p99WhenAllRead: reading.p99,
      p50WhenSomeDoNot: paused.p50,
      p99WhenSomeDoNot: paused.p99,
      memoryGrowthMBytes: Math.round((memoryAfter - memoryBefore) / 1e6),
    });
    expect(await metric(cluster.nodes[0]!, 'websocket_closes_total{code="4001"}')).toBe(slow.queued.length);
    // A peer that does not even read the close frame is cut off after a while: then it sees the connection break.
    for (const { closed } of slow.queued) expect([4001, 1006]).toContain((await closed).code);
    await slow.haveNewest();
    expect(slow.conflated.every(({ isOpen }) => isOpen)).toBe(true);
    expect(slow.conflatedCount()).toBeLessThan(slow.produced());
    expect(verdict).toMatchObject(FAULTLESS);
    expect(clients.closes()).toEqual({});
    expect(memoryAfter - memoryBefore).toBeLessThan(GROWTH_BYTES_MAX);
    // This holds where the machine does nothing else; in an ordinary run it tells how busy the others are.
    if (isFull) expect(paused.p99).toBeLessThan(2 * reading.p99 + promisedMs(100));
  },
  3 * scale.timeoutMs,
);

async function measured(
  clients: ListeningClients,
  traffic: () => Promise<void>,
): Promise<{ p50: number; p99: number }> {
  const from = clients.listeners.map(({ latencies }) => latencies.length);
  await traffic();
  const values = clients.listeners.flatMap(({ latencies }, at) => latencies.slice(from[at]));
  return { p50: percentile(values, 0.5), p99: percentile(values, 0.99) };
}

/** Sockets that get large records, half of them on a topic that queues, half on one that conflates. */
class SlowClients {
  readonly queued: readonly WsClient[];
  readonly conflated: readonly WsClient[];
  readonly #floods: readonly SteadyProducer[];

  private constructor(queued: readonly WsClient[], conflated: readonly WsClient[], floods: readonly SteadyProducer[]) {
    this.queued = queued;
    this.conflated = conflated;
    this.#floods = floods;
  }

  static async open(cluster: GatewayProcesses, count: number): Promise<SlowClients> {
    const users = userNames(count).map((user) => `slow-${user}`);
    const half = Math.ceil(count / 2);
    const groups = [
      { topic: TOPIC, users: users.slice(0, half) },
      { topic: CONFLATED, users: users.slice(half) },
    ];
    const floods: SteadyProducer[] = [];
    const clients: WsClient[][] = [];
    for (const { topic, users: theirs } of groups) {
      clients.push(await Promise.all(theirs.map((user) => open(cluster, user, topic))));
      const kafkaTopic = cluster.kafkaTopic(topic);
      const rate = FLOOD.perSecond * theirs.length;
      floods.push(
        new SteadyProducer({ brokers: cluster.brokers, kafkaTopic, users: theirs, rate, bytes: FLOOD.bytes }),
      );
    }
    return new SlowClients(clients[0]!, clients[1]!, floods);
  }

  get size(): number {
    return this.queued.length + this.conflated.length;
  }

  /** Sends this number of records to each of them, and then more until it is enough. */
  async flood(isEnough: () => Promise<boolean> = async () => true): Promise<void> {
    const target = this.#leastSent() + FLOOD.perSecond * FLOOD.seconds;
    for (const flood of this.#floods) flood.start();
    const isOver = async (): Promise<boolean> => this.#leastSent() >= target && (await isEnough());
    await waitFor(isOver, { what: 'the flood to be sent, and to be enough', timeoutMs: 120_000 });
    await Promise.all(this.#floods.map((flood) => flood.pause()));
    await delay(FLOOD.pauseMs);
  }

  #leastSent(): number {
    const counts = this.#floods.flatMap((flood) => [...flood.newest().values()]);
    return counts.length === 0 ? 0 : Math.min(...counts);
  }

  pause(): void {
    for (const client of [...this.queued, ...this.conflated]) client.pause();
  }

  resume(): void {
    for (const client of [...this.queued, ...this.conflated]) client.resume();
  }

  /** Resolves when all have their newest record. */
  async upToDate(): Promise<void> {
    for (const client of [...this.queued, ...this.conflated]) await this.#hasNewest(client);
  }

  async haveNewest(): Promise<void> {
    for (const client of this.conflated) await this.#hasNewest(client);
  }

  /** Number of frames that the conflated ones got, and of records produced for them. */
  conflatedCount(): number {
    return this.conflated.reduce((sum, { frames }) => sum + frames.length, 0);
  }

  produced(): number {
    return [...this.#floods[1]!.newest().values()].reduce((sum, newest) => sum + newest, 0);
  }

  async close(): Promise<void> {
    for (const client of [...this.queued, ...this.conflated]) client.terminate();
    await Promise.all(this.#floods.map((flood) => flood.close()));
  }

  async #hasNewest(client: WsClient): Promise<void> {
    const newest = new Map(this.#floods.flatMap((flood) => [...flood.newest()]));
    await waitFor(
      () => {
        const frame = client.frames.at(-1) as { user_id?: string; payload: { seq?: number } };
        return frame.payload.seq !== undefined && frame.payload.seq === newest.get(frame.user_id ?? '');
      },
      { what: 'a slow client to have its newest record', timeoutMs: 20_000 },
    );
  }
}

async function open(cluster: GatewayProcesses, user: string, topic: string): Promise<WsClient> {
  const client = await WsClient.open(`${cluster.targets()[0]}/ws?token=${token(user)}&topics=${topic}`);
  await client.next('connected');
  return client;
}

import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createTopics,
  newDataDir,
  readTopic,
  startKafka,
  waitFor,
  WsClient,
  type Frame,
  type OwnServer,
} from '@ws-gateway/testkit';
import { GatewayCluster, token } from './gateway-cluster.js';

/** Topic of hubs whose messages also go to Kafka, while that Kafka is killed and comes back. */
const TOPIC = 'ws-inbound';
let cluster: GatewayCluster;
let kafka: OwnServer;
let dataDir: string;

beforeAll(async () => {
  dataDir = newDataDir();
  kafka = await startKafka({ dataDir });
  await createTopics([TOPIC], 3, { brokers: kafka.address });
  const config = {
    kafka: { bootstrapServers: kafka.address },
    inbound: { enabled: true, kafkaTopic: TOPIC },
    limits: { requestsPerSecond: 0, requestBytesPerSecond: 0, sendsPerSecond: 0, maxPayloadBytes: '1mb' },
  };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'edge', config },
    ],
  });
}, 120_000);
afterAll(async () => {
  await cluster?.close();
  await kafka?.stop();
  if (dataDir) await rm(dataDir, { recursive: true, force: true });
}, 60_000);

const OUTAGE_MS = 60_000;

async function join(at: number, user: string): Promise<WsClient> {
  const client = await WsClient.open(`${cluster.nodes[at]!.wsUrl}/websocket/main?token=${token(user)}`);
  await client.next('connected');
  return client;
}

/** A client that sends numbers to the hub and keeps what became of each. */
class Sender {
  readonly user: string;
  readonly #client: WsClient;
  #next = 1;

  constructor(user: string, client: WsClient) {
    this.user = user;
    this.#client = client;
  }

  /** Sends numbers, which are the request ids as well. */
  send(count: number): void {
    for (let at = 0; at < count; at++, this.#next++) {
      const options = { to: { hub: 'main' }, payload: this.#next };
      this.#client.send({ rid: this.#next, command: 'send', options });
    }
  }

  async allAnswered(): Promise<void> {
    await waitFor(() => this.#answers.length === this.#next - 1, { timeoutMs: OUTAGE_MS, what: 'an answer to each' });
  }

  get taken(): number[] {
    return this.#answers.filter(({ status }) => status === 'ok').map(({ rid }) => rid as number);
  }

  get refused(): Frame[] {
    return this.#answers.filter(({ status }) => status !== 'ok');
  }

  get #answers(): Frame[] {
    return this.#client.frames.filter(({ event }) => event === 'send');
  }
}

async function inKafka(user: string): Promise<number[]> {
  const records = await readTopic(TOPIC, { brokers: kafka.address });
  const own = records.filter(({ key }) => key === user);
  // Kafka has each message at least once: a repeated one counts where it came first.
  return [...new Set(own.map(({ value }) => (JSON.parse(value!) as { payload: number }).payload))];
}

describe('messages of clients for Kafka', () => {
  it('are each taken, in order, or refused as unavailable while the broker is dead; none is lost in silence', async () => {
    const clients = await Promise.all([join(0, 'ann'), join(1, 'carl'), join(1, 'bob')]);
    const senders = [new Sender('ann', clients[0]!), new Sender('carl', clients[1]!)];
    const everybody = async (count: number): Promise<void> => {
      for (const sender of senders) sender.send(count);
      await Promise.all(senders.map(async (sender) => sender.allAnswered()));
    };
    await everybody(20);
    for (const { refused } of senders) expect(refused).toEqual([]);

    // Some messages are on their way to the broker when it dies, so what becomes of them is open; the later ones are
    // refused.
    for (const sender of senders) sender.send(10);
    await kafka.kill();
    await everybody(10);
    for (const { refused } of senders) {
      expect(refused.length).toBeGreaterThanOrEqual(10);
      for (const frame of refused) expect(frame).toMatchObject({ status: 'error', payload: { code: 'unavailable' } });
    }

    kafka = await startKafka({ dataDir, port: kafka.port });
    await everybody(20);
    const listener = clients[2]!;
    for (const { user, taken } of senders) {
      expect(taken).toEqual([...taken].sort((a, b) => a - b));
      expect(taken.slice(-20)).toEqual(Array.from({ length: 20 }, (_, at) => 41 + at));
      const kept = await inKafka(user);
      expect(kept).toEqual([...kept].sort((a, b) => a - b));
      expect(kept).toEqual(expect.arrayContaining(taken));
      // The hub hears what was taken, and only that.
      const heard = () => listener.frames.filter(({ event, from }) => event === 'hub' && from === user);
      await waitFor(() => heard().length >= taken.length);
      expect(heard().map(({ payload }) => payload)).toEqual(taken);
    }
    for (const client of clients) await client.close();
  }, 180_000);

  it('wait in a bounded buffer: what does not fit is refused at once, and counted', async () => {
    const client = await join(0, 'dora');
    const payload = 'x'.repeat(900_000);
    await kafka.kill();
    for (let rid = 1; rid <= 100; rid++) {
      client.send({ rid, command: 'send', options: { to: { hub: 'main' }, payload } });
    }
    const answers = () => client.frames.filter(({ event }) => event === 'send');
    await waitFor(() => answers().length === 100, { timeoutMs: OUTAGE_MS, what: 'an answer to each' });
    expect(answers().every((frame) => (frame['payload'] as { code?: string }).code === 'unavailable')).toBe(true);
    // The surplus did not wait for the others' end: it was answered first.
    expect(answers()[0]!['rid']).toBeGreaterThan(60);
    expect(await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text()).toMatch(
      /^ws_gateway_kafka_errors_total\{code="queue_full"\} \d\d$/m,
    );
    expect(client.isOpen).toBe(true);
    kafka = await startKafka({ dataDir, port: kafka.port });
    client.send({ rid: 1_000, command: 'send', options: { to: { hub: 'main' }, payload: 'small' } });
    expect(await client.next(({ rid }) => rid === 1_000, 30_000)).toMatchObject({ status: 'ok' });
    await client.close();
  }, 180_000);
});

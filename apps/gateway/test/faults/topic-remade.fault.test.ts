import { afterEach, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import {
  createTopics,
  deleteTopics,
  newDataDir,
  readTopic,
  startKafka,
  testBrokers,
  waitFor,
} from '@ws-gateway/testkit';
import { FAULTLESS, verdictOf, type Verdict } from './delivery-ledger.js';
import { GatewayProcesses } from './gateway-processes.js';
import { ListeningClients } from './listening-clients.js';
import { TOPIC } from './load.js';
import { isFull, report, scale, userNames } from './scale.js';
import { createWriter } from './steady-producer.js';

const TIMES = isFull ? scale.times : 1;
const PARTITIONS = 4;
/** Numbers in each log for each user: every next one is longer than the one before. */
const LENGTH = 3;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A cluster of two nodes, its clients, and a topic that is made anew. */
class Scene {
  readonly cluster: GatewayProcesses;
  readonly clients: ListeningClients;
  /** Where the topic is that the gateways read. */
  #brokers: string;
  #writer: ReturnType<typeof createWriter>;
  readonly #users = userNames(50);
  #written = 0;
  /** What each user's logs held, one behind the other. */
  readonly #held = new Map<string, number[]>();

  private constructor(cluster: GatewayProcesses, clients: ListeningClients) {
    this.cluster = cluster;
    this.clients = clients;
    this.#brokers = cluster.brokers;
    this.#writer = createWriter(cluster.brokers);
    cleanups.push(
      () => cluster.close(),
      () => clients.close(),
      () => this.#writer.stop(),
    );
  }

  static async open(brokers = testBrokers()): Promise<Scene> {
    const nodes = [{ role: 'all' }, { role: 'all' }] as const;
    const cluster = await GatewayProcesses.open({ nodes, partitions: PARTITIONS, brokers });
    const clients = await ListeningClients.open({ users: userNames(50), topics: TOPIC, targets: cluster.targets });
    return new Scene(cluster, clients);
  }

  /** Writes so many numbers more to each user. */
  async write(count: number): Promise<void> {
    for (const last = this.#written + count; this.#written < last;) {
      const seq = ++this.#written;
      const toRecord = (user: string) => {
        return { key: user, value: JSON.stringify({ user_id: user, payload: { seq, at: Date.now() } }) };
      };
      const write = () => this.#writer.write(this.cluster.kafkaTopic(TOPIC), this.#users.map(toRecord));
      await waitFor(() => write().then(() => true), { what: 'the records to be written' });
    }
  }

  async remake(partitions = PARTITIONS): Promise<void> {
    await this.#noteHeld();
    const topic = this.cluster.kafkaTopic(TOPIC);
    await deleteTopics([topic]);
    await waitFor(() => createTopics([topic], partitions).then(() => true), { what: 'the topic to be made again' });
  }

  /** Makes topics of these names in the place of those that are gone with what `change` does; what is written next goes there. */
  async moveTo(brokers: string, change: () => Promise<unknown>): Promise<void> {
    await this.#noteHeld();
    await change();
    const names = ['notifications', 'user-blocks'].map((name) => this.cluster.kafkaTopic(name));
    await waitFor(() => createTopics(names, PARTITIONS, { brokers }).then(() => true), { what: 'the topics' });
    await this.#writer.stop();
    this.#writer = createWriter(brokers);
    this.#brokers = brokers;
  }

  async arrived(): Promise<void> {
    await this.clients.reached(new Map(this.#users.map((user) => [user, this.#written])), 60_000);
  }

  async verdict(): Promise<Verdict> {
    await this.#noteHeld();
    return verdictOf(this.#held, this.clients.received);
  }

  /** A fresh topic may refuse the first write in part, and the repeated one is there twice: what counts is what Kafka has. */
  async #noteHeld(): Promise<void> {
    for (const { key, value } of await readTopic(this.cluster.kafkaTopic(TOPIC), { brokers: this.#brokers })) {
      const { payload } = JSON.parse(value!) as { payload: { seq: number } };
      this.#held.set(key!, [...(this.#held.get(key!) ?? []), payload.seq]);
    }
  }
}

// Fails when a position is trusted because the name is the same: the new log's first records are skipped, or those that
// came at once come a second time.
it.each(['running', 'stopped'])(
  'a topic that is deleted and made again longer while the gateways are %s: all of its records come, once and in order',
  async (state) => {
    const scene = await Scene.open();
    const { cluster } = scene;
    await scene.write(LENGTH);
    await scene.arrived();
    for (let time = 1; time <= TIMES; time++) {
      if (state === 'stopped') await Promise.all(cluster.nodes.map((node) => cluster.stop(node)));
      await scene.remake();
      await scene.write(LENGTH + time);
      if (state === 'stopped') await Promise.all([cluster.start({ role: 'all' }), cluster.start({ role: 'all' })]);
      await scene.arrived();
    }
    const verdict = await scene.verdict();
    await report(`topic made again longer, gateways ${state}`, { times: TIMES, ...verdict });
    expect(verdict).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

// Fails when the lanes of partitions that are gone keep the topic from being taken for another one.
it(
  'a topic that is made again with fewer partitions while the gateways are running: all of its records come, once and in order',
  async () => {
    const scene = await Scene.open();
    await scene.write(LENGTH);
    await scene.arrived();
    await scene.remake(PARTITIONS / 2);
    await scene.write(LENGTH + 1);
    await scene.arrived();
    expect(await scene.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

/** A Kafka of its own; `wipe` kills it and starts another one, which knows nothing, in its place. */
async function ownKafka() {
  const dataDir = newDataDir();
  let kafka = await startKafka({ dataDir });
  cleanups.push(
    () => rm(dataDir, { recursive: true, force: true }),
    () => kafka.stop(),
  );
  const wipe = async (): Promise<void> => {
    await kafka.kill();
    await rm(dataDir, { recursive: true });
    kafka = await startKafka({ dataDir, port: kafka.port });
  };
  return { brokers: kafka.address, wipe };
}

// Fails when what Redis remembers of the old logs is believed of those that bear their names.
it(
  'Kafka is wiped under running gateways: all that the new logs hold comes, once and in order',
  async () => {
    const { brokers, wipe } = await ownKafka();
    const scene = await Scene.open(brokers);
    await scene.write(LENGTH);
    await scene.arrived();
    await scene.moveTo(brokers, wipe);
    await scene.write(LENGTH + 1);
    await scene.arrived();
    expect(await scene.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

it(
  'the group is pointed at another Kafka with topics of the same names: all that those hold comes, once and in order',
  async () => {
    const { brokers } = await ownKafka();
    const scene = await Scene.open();
    const { cluster } = scene;
    await scene.write(LENGTH);
    await scene.arrived();
    await scene.moveTo(brokers, () => Promise.all(cluster.nodes.map((node) => cluster.stop(node))));
    await cluster.start({ role: 'all', brokers });
    await cluster.start({ role: 'all', brokers });
    await scene.write(LENGTH + 1);
    await scene.arrived();
    expect(await scene.verdict()).toMatchObject(FAULTLESS);
  },
  scale.timeoutMs,
);

import { afterEach, expect, it } from '@jest/globals';
import { createTopics, deleteTopics, readTopic, waitFor } from '@ws-gateway/testkit';
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
  readonly #writer: ReturnType<typeof createWriter>;
  readonly #users = userNames(50);
  #written = 0;
  /** What each user's logs held, one behind the other. */
  readonly #held = new Map<string, number[]>();

  private constructor(cluster: GatewayProcesses, clients: ListeningClients) {
    this.cluster = cluster;
    this.clients = clients;
    this.#writer = createWriter(cluster.brokers);
    cleanups.push(
      () => cluster.close(),
      () => clients.close(),
      () => this.#writer.stop(),
    );
  }

  static async open(): Promise<Scene> {
    const cluster = await GatewayProcesses.open({ nodes: [{ role: 'all' }, { role: 'all' }], partitions: PARTITIONS });
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
      await this.#writer.write(this.cluster.kafkaTopic(TOPIC), this.#users.map(toRecord));
    }
  }

  async remake(): Promise<void> {
    await this.#noteHeld();
    const topic = this.cluster.kafkaTopic(TOPIC);
    await deleteTopics([topic]);
    await waitFor(() => createTopics([topic], PARTITIONS).then(() => true), { what: 'the topic to be made again' });
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
    for (const { key, value } of await readTopic(this.cluster.kafkaTopic(TOPIC))) {
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

import { afterEach, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import { newDataDir, startRedis, WsClient, type OwnServer } from '@ws-gateway/testkit';
import { token } from '../gateway-cluster.js';
import { FAULTLESS } from './delivery-ledger.js';
import { Load, TOPIC } from './load.js';
import { report, scale } from './scale.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A Redis that can be killed and started again at its address. */
class KillableRedis {
  readonly #dataDir: string | undefined;
  #server: OwnServer;

  private constructor(server: OwnServer, dataDir: string | undefined) {
    this.#server = server;
    this.#dataDir = dataDir;
  }

  static async start(dataDir?: string): Promise<KillableRedis> {
    return new KillableRedis(await startRedis(dataDir === undefined ? {} : { dataDir }), dataDir);
  }

  get address(): string {
    return this.#server.address;
  }

  async restart(): Promise<void> {
    const { port } = this.#server;
    await this.#server.kill();
    this.#server = await startRedis({ port, ...(this.#dataDir === undefined ? {} : { dataDir: this.#dataDir }) });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    if (this.#dataDir !== undefined) await rm(this.#dataDir, { recursive: true, force: true });
  }
}

async function openLoad(redis: KillableRedis): Promise<Load> {
  cleanups.push(() => redis.stop());
  const load = await Load.open({ nodes: [{ role: 'all' }, { role: 'all' }], redisAddress: redis.address });
  cleanups.push(() => load.close());
  return load;
}

describe('Redis killed and started again', () => {
  // Fails when lanes give up what they could not publish, or inboxes are not read on from where they were.
  it(
    'with its data: nothing lost, doubled or out of order',
    async () => {
      const redis = await KillableRedis.start(newDataDir());
      const load = await openLoad(redis);
      const flowsAfterMs: number[] = [];
      for (let time = 0; time < scale.times; time++) {
        await load.goOn();
        await redis.restart();
        flowsAfterMs.push(await load.flows());
      }
      const verdict = await load.verdict();
      await report('Redis restarted with its data', {
        times: scale.times,
        ...verdict,
        everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
        closes: load.clients.closes(),
      });
      expect(verdict).toMatchObject(FAULTLESS);
    },
    scale.timeoutMs,
  );

  // Fails when the nodes do not write their presence rows again (nobody gets anything), when a client that lost records
  // is not told, or when lanes take records for applied that the new Redis has never seen.
  it(
    'without its data: open sockets go on, nothing is lost, and everybody is told of the new epoch',
    async () => {
      const redis = await KillableRedis.start();
      const load = await openLoad(redis);
      const { clients, cluster } = load;
      const flowsAfterMs: number[] = [];
      for (let time = 0; time < scale.times; time++) {
        const user = clients.listeners[0]!.user;
        const before = await WsClient.open(url(load, user));
        const [topic] = topicsOf(await before.next('connected'));
        before.terminate();
        await load.goOn();
        await redis.restart();
        flowsAfterMs.push(await load.flows());
        const position = `${String(topic!['stream'])}:${String(topic!['epoch'])}:${String(topic!['offset'])}`;
        const after = await WsClient.open(`${url(load, user)}&recover=${position}`);
        expect(topicsOf(await after.next('connected'))[0]).toMatchObject({ recovered: false });
        after.terminate();
      }
      const verdict = await load.verdict();
      await report('Redis restarted without its data', {
        times: scale.times,
        ...verdict,
        everybodyFlowsAgainMsMax: Math.round(Math.max(...flowsAfterMs)),
        closes: clients.closes(),
      });
      // Routers read the last minute again, and nodes know what they have had of it.
      expect(verdict).toMatchObject(FAULTLESS);
      // The sockets stayed, and each was told of the loss by a new epoch.
      expect(clients.closes()).toEqual({});
      expect(clients.listeners.filter(({ told }) => !told)).toEqual([]);
      expect(cluster.nodes).toHaveLength(2);
    },
    scale.timeoutMs,
  );
});

function url(load: Load, user: string): string {
  return `${load.cluster.targets()[0]}/ws?token=${token(user)}&topics=${TOPIC}`;
}

function topicsOf(connected: Readonly<Record<string, unknown>>): Record<string, unknown>[] {
  return (connected['payload'] as { topics: Record<string, unknown>[] }).topics;
}

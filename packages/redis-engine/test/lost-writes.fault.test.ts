import { afterEach, describe, expect, it } from '@jest/globals';
import { defaultTopicPolicy, Router, RouterStats, type Engine, type RecordWriter } from '@ws-gateway/core';
import { replicaInSync, startRedis, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness, serverAt, silent } from './harness.js';
import { retention } from './open-socket.js';
import { RecordLog } from './record-log.js';

const PATIENCE_MS = 40_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const noLetters: RecordWriter = {
  write: async () => {
    throw new Error('nothing here is a dead letter');
  },
  stop: async () => undefined,
};

/** A router over a log in memory and an engine at this Redis. */
class Routing {
  readonly log = new RecordLog(['t', 'user-blocks']);
  readonly engine: Engine;
  router!: Router;

  private constructor(engine: Engine) {
    this.engine = engine;
  }

  static async start(redis: { address: string }, partitions: number): Promise<Routing> {
    const harness = await createHarness({ server: serverAt(`redis://${redis.address}`), partitions });
    const routing = new Routing(harness.createEngine('router'));
    await routing.engine.start(new RecordingInbox());
    cleanups.push(() => routing.engine.stop());
    await routing.run();
    cleanups.push(() => routing.router.stop(AbortSignal.timeout(1000)));
    return routing;
  }

  /** Another router, as after the death of the one before. */
  async run(): Promise<void> {
    const { engine, log } = this;
    const deps = { engine, source: log, writer: noLetters, stats: new RouterStats(), logger: silent };
    this.router = new Router(deps, {
      topics: [
        { ...defaultTopicPolicy('t'), retention },
        { ...defaultTopicPolicy('user-blocks'), retention: null, blocks: true },
      ],
      groupId: 'group',
      deadLetterTopic: '',
      maxRecordBytes: 100_000,
      roomRetention: null,
      perUserStats: false,
    });
    await this.router.start();
  }

  append(from: number, to: number): void {
    for (let i = from; i < to; i++) this.log.append('t', 'k', { users: ['ann', 'bob', 'cleo'], payload: i });
  }

  async settled(): Promise<void> {
    const { log } = this;
    const isSettled = () =>
      ['t', 'user-blocks'].every((topic) => (log.committed.get(topic)?.offset ?? 0) === log.end(topic));
    await waitFor(isSettled, { timeoutMs: PATIENCE_MS, what: 'all is committed' });
  }

  async history(user: string): Promise<number[]> {
    const { messages } = await this.engine.read({ stream: `t/u/${user}`, retention, user }, null, 1000);
    return messages.map(({ frame }) => (JSON.parse(Buffer.from(frame).toString()) as { payload: number }).payload);
  }

  async isBlocked(user: string): Promise<boolean> {
    const admission = { connection: `c-${user}`, endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };
    const { status } = await this.engine.admit({ ...admission, user });
    if (status === 'admitted') await this.engine.release([{ connection: admission.connection, user }]);
    return status === 'blocked';
  }
}

function numbers(to: number): number[] {
  return Array.from({ length: to }, (_, i) => i);
}

/** A master whose port leads to its replica once that has taken over. */
class Pair {
  readonly master: OwnServer;
  readonly replica: OwnServer;

  private constructor(master: OwnServer, replica: OwnServer) {
    this.master = master;
    this.replica = replica;
  }

  static async start(): Promise<Pair> {
    const settings = ['--repl-diskless-sync-delay', '0'];
    const master = await startRedis({ settings });
    const replica = await startRedis({ settings: [...settings, '--replicaof', `127.0.0.1 ${master.port}`] });
    cleanups.push(
      () => replica.stop(),
      () => master.stop(),
    );
    await replicaInSync(master);
    return new Pair(master, replica);
  }

  /** From here on the replica gets nothing more. */
  async part(): Promise<void> {
    await replicaInSync(this.master);
    const [master, replica] = [new Redis(this.master.port), new Redis(this.replica.port)];
    await replica.call('REPLICAOF', 'NO', 'ONE');
    master.disconnect();
    replica.disconnect();
  }
}

describe('what Redis confirmed and lost at a failover', () => {
  it.each([1, 5])(
    'is applied again, once and in order, for users without a socket, in %i partitions',
    async (partitions) => {
      const pair = await Pair.start();
      const routing = await Routing.start(pair.master, partitions);
      routing.append(0, 11);
      routing.log.append('user-blocks', 'bob', { user_id: 'bob', payload: { blocked: true } });
      await routing.settled();
      expect(await routing.isBlocked('bob')).toBe(true);

      await pair.part();
      routing.append(11, 21);
      routing.log.append('user-blocks', 'bob', { user_id: 'bob', payload: { blocked: false } });
      routing.log.append('user-blocks', 'cleo', { user_id: 'cleo', payload: { blocked: true } });
      await routing.settled();
      await fail(pair);
      await waitFor(() => routing.engine.healthy, { timeoutMs: PATIENCE_MS, what: 'the engine is back' });
      routing.append(21, 31);
      await waitFor(async () => (await routing.history('ann')).length >= 31, {
        timeoutMs: PATIENCE_MS,
        what: 'all of it',
      });
      await routing.settled();
      for (const user of ['ann', 'bob', 'cleo']) expect(await routing.history(user)).toEqual(numbers(31));
      await waitFor(async () => !(await routing.isBlocked('bob')), { timeoutMs: PATIENCE_MS, what: 'the unblock' });
      expect(await routing.isBlocked('cleo')).toBe(true);
    },
    120_000,
  );

  it('is applied again when the router dies with it, and when no further record comes', async () => {
    const pair = await Pair.start();
    const routing = await Routing.start(pair.master, 1);
    routing.append(0, 11);
    await routing.settled();
    await pair.part();
    routing.append(11, 21);
    await routing.settled();
    await routing.router.stop(AbortSignal.timeout(1000));
    await fail(pair);
    await waitFor(() => routing.engine.healthy, { timeoutMs: PATIENCE_MS, what: 'the engine is back' });
    await routing.run();
    await waitFor(async () => (await routing.history('ann')).length >= 21, {
      timeoutMs: PATIENCE_MS,
      what: 'all of it',
    });
    await routing.settled();
    expect(await routing.history('ann')).toEqual(numbers(21));
  }, 120_000);

  it('is applied again from the last minute when Redis comes back empty', async () => {
    const first = await startRedis();
    const routing = await Routing.start(first, 1);
    routing.append(0, 20);
    await routing.settled();
    await first.kill();
    const second = await startRedis({ port: first.port });
    cleanups.unshift(() => second.stop());
    await waitFor(async () => (await routing.history('ann')).length >= 20, {
      timeoutMs: PATIENCE_MS,
      what: 'all of it',
    });
    await routing.settled();
    expect(await routing.history('ann')).toEqual(numbers(20));
  }, 120_000);

  it('is applied again when the data are gone and the process is the same', async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const routing = await Routing.start(redis, 1);
    routing.append(0, 20);
    await routing.settled();
    const admin = new Redis(redis.port);
    await admin.flushall();
    admin.disconnect();
    await waitFor(async () => (await routing.history('ann')).length >= 20, {
      timeoutMs: PATIENCE_MS,
      what: 'all of it',
    });
    await routing.settled();
    expect(await routing.history('ann')).toEqual(numbers(20));
  }, 120_000);
});

/** The replica takes the master's place, at its address. */
async function fail({ master, replica }: Pair): Promise<void> {
  await master.kill();
  const admin = new Redis(replica.port);
  await admin.config('SET', 'port', String(master.port));
  admin.disconnect();
}

import { afterEach, describe, expect, it } from '@jest/globals';
import type { AdmitRequest, Engine, NodeCommand } from '@ws-gateway/core';
import { startRedis } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness, serverAt } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Of a node that shows that it lives when it is asked: one that does not holds no place against a newcomer. */
class LivelyInbox extends RecordingInbox {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    super();
    this.#engine = engine;
  }

  override command(command: NodeCommand): void {
    super.command(command);
    if (command.command === 'probe') this.#engine.showLife?.();
  }
}

async function nodes(...names: string[]) {
  const redis = await startRedis();
  const admin = new Redis({ host: '127.0.0.1', port: redis.port });
  const harness = await createHarness({ server: serverAt(`redis://${redis.address}`), refreshMs: 60_000 });
  cleanups.push(
    () => redis.stop(),
    async () => admin.disconnect(),
  );
  const engines: Engine[] = [];
  for (const name of names) {
    const engine = harness.createEngine(name);
    await engine.start(new LivelyInbox(engine));
    cleanups.push(() => engine.stop());
    engines.push(engine);
  }
  return { admin, engines, base: `${harness.keyPrefix}:{0}:` };
}

function admit(engine: Engine, connection: string, options: Partial<AdmitRequest> = {}) {
  const request = { connection, user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };
  return engine.admit({ ...request, ...options });
}

/** Commands that Redis runs for an action, but for those of the gateway's second hand. */
async function commandsOf(admin: Redis, action: () => Promise<unknown>): Promise<Record<string, number>> {
  await admin.config('RESETSTAT');
  await action();
  const stats = await admin.info('commandstats');
  const calls = Array.from(stats.matchAll(/^cmdstat_(\w+):calls=(\d+)/gm), ([, name, count]) => [name!, Number(count)]);
  return Object.fromEntries(calls.filter(([name]) => !['config', 'info', 'xread', 'evalsha'].includes(String(name))));
}

/** What is done with the rows of users, which are the only hashes. */
function ofRows(commands: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(commands).filter(([name]) => name.startsWith('h')));
}

describe('a user with one connection', () => {
  // A hash with a text of more than 64 bytes takes 150 bytes more: the name of a node's life made it too long.
  it('has a row in the form that Redis keeps most cheaply, on a node that is named like a pod', async () => {
    const { admin, engines, base } = await nodes(
      'ws-gateway-edge-7d4b9c6f5-x2x4z',
      'my-ws-gateway-router-7d4b9c6f5-x2x4z',
    );
    for (const [at, engine] of engines.entries()) {
      await admit(engine, 'k3f9z8x7w6v5u4t000000x', { user: `u${at}`, sinceMs: Date.now() });
      expect(await admin.object('ENCODING', `${base}pres:u${at}`)).toBe('listpack');
    }
  });
});

describe('a user with very many connections', () => {
  // Each release read all rows of the user, and a refusal sorted them: 11 and 55 ms of Redis at 30,000, which a client
  // that is refused could bring about as often as it liked.
  it('costs Redis the same commands to connect, disconnect and refuse as one with three', async () => {
    const { admin, engines } = await nodes('n1', 'n2');
    const [engine, other] = [engines[0]!, engines[1]!];
    const few = { max: 4, policy: 'reject' } as const;
    for (const connection of ['a', 'b', 'c']) await admit(engine, connection);
    const measure = async (max: number) => {
      const sessions = { ...few, max };
      return {
        connect: await commandsOf(admin, () => admit(other, 'last', { sessions })),
        // Before it, nodes are asked whether they live, as often as it takes them to answer.
        refuse: ofRows(await commandsOf(admin, () => admit(other, 'one too many', { sessions }))),
        disconnect: await commandsOf(admin, () => other.release([{ connection: 'last', user: 'u1' }])),
      };
    };
    const small = await measure(4);
    const crowd = Array.from({ length: 30_000 - 3 }, (_, i) => `c${i}`);
    for (let at = 0; at < crowd.length; at += 1000) {
      await Promise.all(crowd.slice(at, at + 1000).map((connection) => admit(engine, connection)));
    }
    const large = await measure(30_001);
    expect(large).toEqual(small);
    for (const commands of Object.values(large)) {
      expect(Object.keys(commands)).not.toEqual(expect.arrayContaining(['hgetall', 'hvals', 'hkeys']));
    }
    expect(await admit(other, 'x', { sessions: few })).toEqual({ status: 'session_limit' });
    expect(await admit(engine, 'c0', { sessions: few })).toMatchObject({ status: 'admitted' });
  }, 60_000);

  it('is routed to each node as long as one row of it is there, and to none behind the last', async () => {
    const { admin, engines, base } = await nodes('n1', 'n2');
    const [first, second] = [engines[0]!, engines[1]!];
    const nodesOfUser = async () => ((await admin.get(`${base}un:u1`)) ?? '').split(' ').filter(Boolean).length;
    for (const connection of ['a', 'b']) await admit(first, connection);
    await admit(second, 'c');
    expect(await nodesOfUser()).toBe(2);
    await first.release([{ connection: 'a', user: 'u1' }]);
    expect(await nodesOfUser()).toBe(2);
    await first.release([{ connection: 'b', user: 'u1' }]);
    expect(await nodesOfUser()).toBe(1);
    await second.release([{ connection: 'c', user: 'u1' }]);
    expect(await admin.keys(`${base}un*`)).toEqual([]);
  });

  it('is routed rightly beside rows of a node of an earlier release, which nobody counts', async () => {
    const { admin, engines, base } = await nodes('n1', 'n2');
    const [first] = [engines[0]!];
    await admit(first, 'a');
    // As an earlier release writes its own rows.
    await admin.hset(`${base}pres:u1`, 'old', 'old~1 0 /ws', 'old2', 'old~1 1 /ws');
    await admin.append(`${base}un:u1`, ' old~1');
    await admit(first, 'b', { sessions: { max: 3, policy: 'replace' }, sinceMs: 2 });
    expect((await first.presence('u1')).map(({ node }) => node).sort()).toEqual(['n1', 'n1', 'old']);
    expect((await admin.get(`${base}un:u1`))!.split(' ').sort()).toEqual([expect.stringMatching(/^n1~/), 'old~1']);
    // As an earlier release takes rows away: none is discounted.
    await admin.hdel(`${base}pres:u1`, 'a', 'b');
    await admin.set(`${base}un:u1`, 'old~1');
    await admit(first, 'c');
    expect((await admin.get(`${base}un:u1`))!.split(' ')).toContainEqual(expect.stringMatching(/^n1~/));
  });
});

describe('a handshake at a node that routes', () => {
  // One connection carried both: a record for 5,000 users was written as some 117 calls at once, and a handshake at that
  // node waited for the last of them.
  it('is admitted before a record for very many users is published, which was sent first', async () => {
    const { engines } = await nodes('n1');
    const engine = engines[0]!;
    const head = 'x'.repeat(3000);
    const items = Array.from({ length: 5000 }, (_, i) => {
      const item = { kind: 'user', topic: 't', user: `user-${i}`, retention: null, head } as const;
      return { ...item, sourceOffset: -1, recordTimeMs: 1 };
    });
    const order: string[] = [];
    const published = engine.publish({ source: null, items }).then(() => order.push('published'));
    await admit(engine, 'c1').then(() => order.push('admitted'));
    await published;
    expect(order).toEqual(['admitted', 'published']);
  });
});

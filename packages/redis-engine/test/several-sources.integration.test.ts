import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { EngineStats, type Engine, type PublishItem, type PublishResult, type SourceRange } from '@ws-gateway/core';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { testRedisUrl } from '@ws-gateway/testkit';
import { Redis } from 'ioredis';
import { createHarness } from './harness.js';

// What the lanes of a router publish in one turn of the loop goes in one script call.

let keyPrefix: string;
let stats: EngineStats;
let engine: Engine;
let admin: Redis;
beforeEach(async () => {
  const harness = await createHarness();
  keyPrefix = harness.keyPrefix;
  stats = new EngineStats();
  engine = harness.createEngine('n1', { stats });
  await engine.start(new RecordingInbox());
  admin = new Redis(testRedisUrl());
});
afterEach(async () => {
  await engine.stop();
  await admin.quit();
});

const retention = { mode: 'ordered', size: 100, ttlMs: 60_000 } as const;

function items(user: string, offset: number, count: number): PublishItem[] {
  const rest = { kind: 'user', topic: 't', user, retention, head: 'x', recordTimeMs: 1 } as const;
  return Array.from({ length: count }, (_, i) => ({ ...rest, sourceOffset: offset + i }));
}

/** Publishes records of as many partitions at once, each for a user of its own, all behind these offsets. */
function publishAll(previousOffsets: readonly number[], more: Partial<SourceRange> = {}) {
  const made = stats.operationSeconds.count;
  const batches = previousOffsets.map((previousOffset, partition) => {
    const source = { topic: 't', partition, previousOffset, lastOffset: previousOffset + 2, ...more };
    return engine.publish({ source, items: items(`u${partition}`, previousOffset + 1, 2) });
  });
  return Promise.allSettled(batches).then((results) => ({ results, calls: stats.operationSeconds.count - made }));
}

async function positions(count: number): Promise<(string | null)[]> {
  return admin.mget(Array.from({ length: count }, (_, partition) => `${keyPrefix}:{0}:src:t:${partition}`));
}

const applied = (result: Partial<PublishResult>) => ({
  status: 'fulfilled',
  value: { routed: 0, offline: 0, duplicates: 0, ...result },
});
const topOf = async (user: string): Promise<number> =>
  (await engine.positions([{ stream: `t/u/${user}`, user, retention }]))[0]!.offset;

it('applies what several sources publish at once by one call, each up to its own position', async () => {
  const { results, calls } = await publishAll([-1, -1, -1]);
  expect(results).toEqual(results.map(() => applied({ offline: 2 })));
  expect(calls).toBe(1);
  expect(await positions(3)).toEqual(['1', '1', '1']);
  expect(await Promise.all(['u0', 'u1', 'u2'].map(topOf))).toEqual([2, 2, 2]);
});

it('refuses only the source that lost what it had, when several publish at once', async () => {
  await publishAll([-1, -1, -1]);
  await admin.set(`${keyPrefix}:{0}:src:t:1`, '0');
  const { results, calls } = await publishAll([1, 1, 1]);
  expect(results).toMatchObject([
    applied({ offline: 2 }),
    { status: 'rejected', reason: { code: 'source_gap', message: expect.stringContaining('applied 0, expected 1') } },
    applied({ offline: 2 }),
  ]);
  expect(calls).toBe(1);
  expect(await positions(3)).toEqual(['3', '0', '3']);
  expect(await topOf('u1')).toBe(2);
});

it('leaves out only the repetitions of the source that was applied before, when several publish at once', async () => {
  await publishAll([-1, -1]);
  // The first partition has been applied in part by somebody else.
  await admin.set(`${keyPrefix}:{0}:src:t:0`, '2');
  const { results } = await publishAll([1, 1]);
  expect(results).toEqual([applied({ offline: 1, duplicates: 1 }), applied({ offline: 2 })]);
  expect(await positions(2)).toEqual(['3', '3']);
});

// What the script fails on must not be taken for a fault of the records that went with it.
it('publishes by a call of its own what was in a call that failed', async () => {
  await admin.set(`${keyPrefix}:{0}:h:t/u/u1`, 'no list');
  const { results: failed } = await publishAll([-1, -1, -1]);
  expect(failed).toMatchObject(failed.map(() => ({ status: 'rejected', reason: { code: 'internal' } })));
  const { results, calls } = await publishAll([-1, -1, -1], { repeated: true });
  expect(results).toMatchObject([applied({ offline: 2 }), { status: 'rejected' }, applied({ offline: 2 })]);
  expect(calls).toBe(3);
});

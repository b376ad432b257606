import { afterEach, expect, it } from '@jest/globals';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { testRedisUrl } from '@ws-gateway/testkit';
import { Redis } from 'ioredis';
import { createHarness } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const beat = { member: 'm', leaseMs: 1600 };

async function setup() {
  const { createEngine, keyPrefix } = await createHarness();
  const redis = new Redis(testRedisUrl());
  const [a, b] = [createEngine('a'), createEngine('b')];
  cleanups.push(
    () => redis.quit(),
    () => a.stop(),
    () => b.stop(),
  );
  await Promise.all([a, b].map((engine) => engine.start(new RecordingInbox())));
  const key = (kind: string): string => `${keyPrefix}:{0}:${kind}:g`;
  return { a, b, redis, beats: key('beats'), order: key('beatorder') };
}

// It writes its sign, and no order of signs.
it('a router of an earlier release is shown like the others, and taken away when it is dead', async () => {
  const { a, b, redis, beats } = await setup();
  await b.beat('g', beat);
  await redis.hset(beats, 'old', '7 1600 member-old');
  const shown = await a.beat('g', beat);
  expect(shown.map(({ node }) => node).sort()).toEqual(['b', 'old']);
  const old = shown.find(({ node }) => node === 'old')!;
  expect(old).toMatchObject({ member: 'member-old', leaseMs: 1600 });
  expect(await a.endBeat('g', old)).toBe(true);
  expect((await a.beat('g', beat)).map(({ node }) => node)).toEqual(['b']);
});

it('a sign that a router of an earlier release took away is shown no more, nor does it keep others from being shown', async () => {
  const { a, b, redis, beats, order } = await setup();
  await b.beat('g', beat);
  await redis.hdel(beats, 'b');
  // As many signs as there are in the order, but of others.
  await redis.hset(beats, 'old', '7 1600 member-old');
  await a.beat('g', beat);
  expect((await a.beat('g', beat)).map(({ node }) => node)).toEqual(['old']);
  expect(await redis.zrange(order, 0, -1)).toEqual(['a']);
});

it('a router of a group of very many is shown all that are silent, and not all of the others', async () => {
  const { createEngine } = await createHarness();
  const names = Array.from({ length: 60 }, (_, number) => `n${number}`);
  const nodes = names.map((name) => createEngine(name));
  cleanups.push(() => Promise.all(nodes.map((node) => node.stop())));
  for (const node of nodes) await node.start(new RecordingInbox());
  const shownTo = async (node: (typeof nodes)[number]): Promise<string[]> =>
    (await node.beat('g', beat)).map((other) => other.node);
  for (const node of nodes) await shownTo(node);
  const living = nodes.slice(25);
  for (let round = 0; round < 6; round++) for (const node of living) await shownTo(node);
  const shown = await shownTo(living[0]!);
  expect(shown).toEqual(expect.arrayContaining(names.slice(0, 25)));
  expect(shown.length).toBeLessThan(names.length - 1);
  await Promise.all(nodes.map((node) => node.beat('g', null)));
  expect(await shownTo(living[0]!)).toEqual([]);
});

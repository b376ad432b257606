import { afterEach, describe, expect, it } from '@jest/globals';
import { testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function twoNodes(partitions: number) {
  const { createEngine, keyPrefix } = await createHarness({ partitions });
  const [edge, router] = [createEngine('edge'), createEngine('router', { role: 'router' })];
  const [edgeInbox, routerInbox] = [new RecordingInbox(), new RecordingInbox()];
  cleanups.push(
    () => edge.stop(),
    () => router.stop(),
  );
  await edge.start(edgeInbox);
  await router.start(routerInbox);
  return { edge, router, edgeInbox, routerInbox, keyPrefix };
}

const toAll = (head: string) =>
  ({ source: null, items: [{ kind: 'all', head, sourceOffset: -1, recordTimeMs: 1 }] }) as const;
const drain = { command: 'drain' } as const;

describe.each([1, 3])('a node with the role of a router, keys in %d partitions', (partitions) => {
  it('is told what is said to it or to all nodes', async () => {
    const { edge, router, edgeInbox, routerInbox } = await twoNodes(partitions);
    expect(await edge.control({ kind: 'node', node: 'router' }, drain)).toBe(1);
    expect(await router.control({ kind: 'all' }, drain)).toBe(2);
    await routerInbox.waitFor(() => routerInbox.commands.length === 2, 'both commands');
    await edgeInbox.waitFor(() => edgeInbox.commands.length === 1, 'the one to all');
  });

  it('gets no message, and does not count among those that do', async () => {
    const { edge, router, edgeInbox, routerInbox } = await twoNodes(partitions);
    for (const engine of [edge, router]) {
      const result = await engine.publish(toAll('hello'));
      expect(result).toMatchObject({ routed: 1, offline: 0, items: [{ nodes: 1 }] });
    }
    await edgeInbox.waitFor(() => edgeInbox.broadcasts.length === 2, 'both messages');
    // Behind them in the same inbox.
    await edge.control({ kind: 'node', node: 'router' }, drain);
    await routerInbox.waitFor(() => routerInbox.commands.length === 1, 'the command');
    expect(routerInbox.broadcasts).toEqual([]);
    await edge.stop();
    expect(await router.publish(toAll('anybody?'))).toMatchObject({ routed: 0, offline: 1 });
  });

  it('can be reached again after its rows were lost', async () => {
    const { edge, routerInbox, keyPrefix } = await twoNodes(partitions);
    const redis = new Redis(testRedisUrl());
    cleanups.push(() => redis.quit());
    await redis.del(...(await redis.keys(`${keyPrefix}:*`)));
    await waitFor(async () => (await edge.control({ kind: 'node', node: 'router' }, drain)) === 1);
    await routerInbox.waitFor(() => routerInbox.commands.length > 0, 'the command');
  });
});

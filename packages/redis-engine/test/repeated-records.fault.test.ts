import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Engine, PublishItem, Retention } from '@ws-gateway/core';
import { startRedis, waitFor, type OwnServer } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { createHarness, serverAt } from './harness.js';

const retention: Retention = { mode: 'ordered', size: 100, ttlMs: 600_000 };
const STREAM = { stream: 't/u/u1', retention, user: 'u1' };

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function kept(sourceOffset: number, recordTimeMs: number): PublishItem {
  const head = `{"text":"kept ${sourceOffset}","stream":"${STREAM.stream}","epoch":"`;
  return { kind: 'user', topic: 't', user: 'u1', retention, head, sourceOffset, recordTimeMs };
}

function fleeting(sourceOffset: number, recordTimeMs: number): PublishItem {
  const head = `"fleeting ${sourceOffset}"`;
  return { kind: 'user', topic: 'f', user: 'u1', retention: null, head, sourceOffset, recordTimeMs };
}

function toAll(sourceOffset: number, recordTimeMs: number): PublishItem {
  return { kind: 'all', head: `"all ${sourceOffset}"`, sourceOffset, recordTimeMs };
}

function batch(items: readonly PublishItem[], repeated: boolean) {
  const lastOffset = items.at(-1)!.sourceOffset;
  return { source: { topic: 'k', partition: 3, previousOffset: -1, lastOffset, repeated }, items };
}

async function connect(engine: Engine, connection: string, rejoin = false): Promise<void> {
  const origin = { connection, user: 'u1', endpoint: '/ws', sinceMs: 1 };
  const result = await engine.admit({ ...origin, streams: [STREAM], sessions: null, rejoin });
  expect(result.status).toBe('admitted');
}

/** Nodes of which one, with a connection, has been given three records. */
async function delivered({ address }: OwnServer) {
  const harness = await createHarness({ server: serverAt(`redis://${address}`) });
  const [had, router] = [harness.createEngine('had'), harness.createEngine('router', { role: 'router' })];
  const inbox = new RecordingInbox();
  await had.start(inbox);
  await router.start(new RecordingInbox());
  cleanups.push(
    () => had.stop(),
    () => router.stop(),
  );
  await connect(had, 'c1');
  await router.publish(batch([kept(5, 1000), fleeting(6, 1001), toAll(7, 1002)], false));
  await inbox.waitFor(() => inbox.broadcasts.length === 1, 'the first delivery');
  return { harness, had, router, inbox };
}

describe('a batch published again because its outcome was unknown, to a Redis that came back empty', () => {
  // The call was applied and its messages delivered, but Redis died before the answer: the source position that would
  // have told the repetition died with it, and open sockets got the records twice.
  it('is known by the node that had it, as the same records of a new stream', async () => {
    const first = await startRedis();
    const { harness, had, router, inbox } = await delivered(first);
    expect(inbox.messages.map(({ text, seen }) => [text, seen])).toEqual([
      ['kept 5', false],
      ['"fleeting 6"', false],
    ]);

    await first.kill();
    const second = await startRedis({ port: first.port });
    cleanups.unshift(() => second.stop());
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    await waitFor(() => had.healthy && router.healthy, { what: 'both to be healthy' });
    const [other, otherInbox] = [harness.createEngine('other'), new RecordingInbox()];
    await other.start(otherInbox);
    cleanups.push(() => other.stop());
    await connect(had, 'c1', true);
    await connect(other, 'c2');
    inbox.messages = [];

    // Of these the last was not in the call before; offset 6 is of a topic that was made again.
    const again = [kept(5, 1000), fleeting(6, 9999), toAll(7, 1002), kept(8, 1003)];
    await router.claimSource('k', 3, { seen: await router.sourcePositions('k', 3), forget: false });
    await router.publish(batch(again, true));
    await inbox.waitForTexts(3);
    expect(inbox.messages.map(({ text, seen }) => [text, seen])).toEqual([
      ['kept 5', true],
      ['"fleeting 6"', false],
      ['kept 8', false],
    ]);
    expect(inbox.broadcasts).toEqual(['"all 7"']);
    // Who was not there then gets it as new: this node never had it.
    await otherInbox.waitForTexts(3);
    expect(otherInbox.messages.map(({ seen }) => seen)).toEqual([false, false, false]);
    expect(otherInbox.broadcasts).toEqual(['"all 7"']);
    const page = await had.read(STREAM, null, 10);
    expect(page.messages.map(({ offset, seen }) => [offset, seen])).toEqual([
      [1, true],
      [2, false],
    ]);
  });

  // Records were known as messages of another process only: by FLUSHALL open sockets got the last minute twice.
  it('is known by the node that had it although the process is the same', async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const { had, router, inbox } = await delivered(redis);
    const admin = new Redis(redis.port);
    await admin.flushall();
    admin.disconnect();
    await inbox.waitFor(() => inbox.rebuilds === 1, 'a rebuild');
    await connect(had, 'c1', true);
    inbox.messages = [];
    await router.claimSource('k', 3, { seen: await router.sourcePositions('k', 3), forget: false });
    await router.publish(batch([kept(5, 1000), fleeting(6, 1001), toAll(7, 1002), kept(8, 1003)], true));
    await inbox.waitForTexts(3);
    expect(inbox.messages.map(({ text, seen }) => [text, seen])).toEqual([
      ['kept 5', true],
      ['"fleeting 6"', true],
      ['kept 8', false],
    ]);
    expect(inbox.broadcasts).toEqual(['"all 7"']);
    const page = await had.read(STREAM, null, 10);
    expect(page.messages.map(({ offset, seen }) => [offset, seen])).toEqual([
      [1, true],
      [2, false],
    ]);
  });
});

import { afterEach, expect, it } from '@jest/globals';
import { EngineStats } from '@ws-gateway/core';
import { testRedisUrl, uniqueName, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { BatchQueue } from '../src/batch-queue.js';
import { serverChannels } from '../src/channel-commands.js';
import { InboxReader } from '../src/inbox-reader.js';
import { RecentRecords } from '../src/recent-records.js';
import { silent } from './harness.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function createReader() {
  const admin = new Redis(testRedisUrl());
  const reading = new Redis(testRedisUrl(), { lazyConnect: true });
  const inbox = new RecordingInbox();
  const stats = new EngineStats();
  const listener = { lost: () => undefined, swallowed: () => undefined };
  const parts = { inbox, recent: new RecentRecords(), stats, logger: silent };
  const queue = new BatchQueue(parts, { listener, bytesMax: 100_000_000 });
  // Never connected, so all is read from the inbox.
  const channel = { redis: new Redis({ lazyConnect: true }), commands: serverChannels };
  const reader = new InboxReader({ reading, channel }, { queue, stats, logger: silent }, { timeoutMs: 5000 });
  cleanups.push(
    () => admin.quit(),
    () => reader.stop(),
  );
  await reading.connect();
  const key = uniqueName('inbox');
  reader.follow([{ key, log: null }]);
  return { admin, reader, reading, inbox, stats, key };
}

// A check that crossed another one told Redis of the same bytes again, and more than the bound could wait unread.
it('tells of the bytes that were read once, and again when that did not come through', async () => {
  const { admin, reader, key } = await createReader();
  const [header, body] = ['a\t\t1\t', 'x'.repeat(100)];
  await admin.xadd(key, '1-7', header, body);
  await waitFor(() => reader.inboxes[0]!.processed === 1, { what: 'the batch to be read' });
  const bytes = header.length + body.length;
  expect([reader.takeBytesRead(0), reader.takeBytesRead(0)]).toEqual([bytes, 0]);
  reader.giveBack(0, bytes);
  expect(reader.takeBytesRead(0)).toBe(bytes);
});

/** Batches of 100 messages, numbered through. */
async function addBatches(admin: Redis, key: string, from: number, to: number): Promise<string[]> {
  const added: string[] = [];
  const pipeline = admin.pipeline();
  for (let batch = from; batch < to; batch++) {
    const texts = Array.from({ length: 100 }, (_, i) => String(batch * 100 + i));
    pipeline.xadd(key, `${batch + 1}-7`, ...texts.flatMap((text) => ['m\tt/u/u1\t1\t', text]));
    added.push(...texts);
  }
  await pipeline.exec();
  return added;
}

/** Resolves in a turn of the loop in which batches have come that are not handed over. */
async function untilSomeWaits(reader: InboxReader): Promise<void> {
  const isWaiting = () => reader.ready && reader.inboxes[0]!.taken > reader.inboxes[0]!.processed;
  while (!isWaiting()) await new Promise((resolve) => setImmediate(resolve));
}

it('leaves in Redis what comes while much waits here, and reads on when there is room', async () => {
  const { admin, inbox, stats, key } = await createReader();
  const texts = await addBatches(admin, key, 0, 60);
  expect(await inbox.waitForTexts(6000)).toEqual(texts);
  expect(stats.inboxReadsPutOff).toBeGreaterThan(0);
});

it('comes on with nothing lost or twice when its connection breaks while much waits', async () => {
  const { admin, reader, reading, inbox, key } = await createReader();
  const texts = await addBatches(admin, key, 0, 60);
  for (let broken = 0; broken < 3; broken++) {
    await untilSomeWaits(reader);
    reading.disconnect(true);
  }
  texts.push(...(await addBatches(admin, key, 60, 70)));
  expect(await inbox.waitForTexts(7000)).toEqual(texts);
  await waitFor(() => reader.inboxes[0]!.processed === 70, { what: 'the last batch to be counted' });
});

it('hands over what waits before inboxes begin anew', async () => {
  const { admin, reader, inbox, key } = await createReader();
  const texts = await addBatches(admin, key, 0, 60);
  await untilSomeWaits(reader);
  const { taken } = reader.inboxes[0]!;
  reader.startOver([{ key, log: null }]);
  expect(inbox.texts()).toEqual(texts.slice(0, 100 * taken));
});

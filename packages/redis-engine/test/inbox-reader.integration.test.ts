import { afterEach, expect, it } from '@jest/globals';
import { EngineStats } from '@ws-gateway/core';
import { testRedisUrl, uniqueName, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { InboxReader } from '../src/inbox-reader.js';
import { RecentRecords } from '../src/recent-records.js';
import { silent } from './harness.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

// A check that crossed another one told Redis of the same bytes again, and more than the bound could wait unread.
it('tells of the bytes that were read once, and again when that did not come through', async () => {
  const admin = new Redis(testRedisUrl());
  const redis = new Redis(testRedisUrl(), { lazyConnect: true });
  const channel = new Redis(testRedisUrl());
  const parts = { inbox: new RecordingInbox(), recent: new RecentRecords(), stats: new EngineStats(), logger: silent };
  const listener = { lost: () => undefined, swallowed: () => undefined };
  const reader = new InboxReader({ reading: redis, channel }, parts, {
    timeoutMs: 5000,
    listener,
    bytesMax: 1_000_000,
  });
  cleanups.push(
    () => admin.quit(),
    () => reader.stop(),
  );
  await redis.connect();
  const key = uniqueName('inbox');
  reader.follow([key]);
  const [header, body] = ['a\t\t1\t', 'x'.repeat(100)];
  await admin.xadd(key, '1-7', header, body);
  await waitFor(() => reader.inboxes[0]!.processed === 1, { what: 'the batch to be read' });
  const bytes = header.length + body.length;
  expect([reader.takeBytesRead(0), reader.takeBytesRead(0)]).toEqual([bytes, 0]);
  reader.giveBack(0, bytes);
  expect(reader.takeBytesRead(0)).toBe(bytes);
});

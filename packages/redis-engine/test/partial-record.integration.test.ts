import { afterEach, expect, it } from '@jest/globals';
import type { PublishItem } from '@ws-gateway/core';
import { testRedisUrl } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import { createHarness } from './harness.js';

let admin: Redis;
afterEach(() => admin.quit());

function items(offset: number, count: number): PublishItem[] {
  return Array.from({ length: count }, (_, i) => {
    const user = `${offset}-${i}`;
    return { kind: 'user', topic: 't', user, retention: null, head: 'x', sourceOffset: offset, recordTimeMs: 1 };
  });
}

// A record for many users takes several script calls. When the connection breaks between two of them, the repetition
// must skip exactly those that were applied: position "offset before the record, items of it".
it('repeats only the rest of a record that was applied in part', async () => {
  admin = new Redis(testRedisUrl());
  const harness = await createHarness();
  const engine = harness.createEngine('n1');
  await engine.start(new RecordingInbox());
  const key = `${harness.keyPrefix}:{0}:src:t:0`;
  const source = { topic: 't', partition: 0, previousOffset: -1, lastOffset: 9 };
  const batch = { source, items: [...items(7, 3), ...items(8, 400), ...items(9, 2)] };

  await admin.set(key, '7 253');
  expect(await engine.publish(batch)).toEqual({ duplicates: 3 + 253, offline: 147 + 2, routed: 0 });
  expect(await admin.get(key)).toBe('9');
  expect(await engine.publish(batch)).toEqual({ duplicates: 405, offline: 0, routed: 0 });

  // Cut elsewhere than before: what is split how makes no difference.
  await admin.set(key, '7 10');
  await engine.claimSource('t', 0, { seen: await engine.sourcePositions('t', 0), forget: false });
  const rest = { source: { ...source, lastOffset: 8 }, items: items(8, 400) };
  expect(await engine.publish(rest)).toEqual({ duplicates: 10, offline: 390, routed: 0 });
  expect(await admin.get(key)).toBe('8');
  await engine.stop();
});

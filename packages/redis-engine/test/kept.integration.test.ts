import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Retention } from '@ws-gateway/core';
import { redisAdmin, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import type { Redis } from 'ioredis';
import type { RedisEngine } from '../src/index.js';
import { createHarness } from './harness.js';

const STREAM = 't/u/u1';

let admin: Redis;
let prefix: string;
let engine: RedisEngine;
beforeEach(async () => {
  admin = redisAdmin({ port: Number(new URL(testRedisUrl()).port) });
  const harness = await createHarness();
  prefix = harness.keyPrefix;
  engine = harness.createEngine('n1');
  await engine.start(new RecordingInbox());
});
afterEach(async () => {
  await engine.stop();
  admin.disconnect();
});

const keyOf = (kind: string) => `${prefix}:{0}:${kind}${STREAM}`;

async function write(retention: Retention, text = 'x'): Promise<void> {
  const head = `{"text":"${text}","stream":"${STREAM}","epoch":"`;
  const item = { kind: 'user', topic: 't', user: 'u1', retention, head, sourceOffset: -1, recordTimeMs: 1 } as const;
  await engine.publish({ source: null, items: [item] });
}

async function kept(): Promise<number> {
  return (await admin.llen(keyOf('h:'))) / 2;
}

// A list was cut by its length only: what was too old stayed for as long as others came, and for twice its ttl behind them.
it('takes messages away that are too old while others come', async () => {
  const retention = { mode: 'ordered', size: 100_000, ttlMs: 400 } as const;
  await write(retention);
  const first = await admin.lindex(keyOf('h:'), 0);
  let written = 1;
  await waitFor(
    async () => {
      await write(retention);
      written++;
      return (await admin.lindex(keyOf('h:'), 0)) !== first;
    },
    { timeoutMs: 20_000, what: 'the first message to go' },
  );
  expect(await kept()).toBeLessThan(written);
});

it('lets a list go a quarter of its ttl behind the last message', async () => {
  await write({ mode: 'ordered', size: 10, ttlMs: 3_600_000 });
  const lifeMs = await admin.pttl(keyOf('h:'));
  expect(lifeMs).toBeLessThanOrEqual(4_500_000);
  expect(lifeMs).toBeGreaterThan(4_400_000);
});

// A node of the release before adds messages without counting them.
it('counts the bytes again when the count is not true any more', async () => {
  const retention = { mode: 'ordered', size: 100, ttlMs: 400, bytesMax: 10_000 } as const;
  for (let i = 0; i < 4; i++) await write(retention, 'x'.repeat(2000));
  const [epoch, top, , ...rest] = (await admin.get(keyOf('m:')))!.split(' ');
  await admin.set(keyOf('m:'), [epoch, top, '1/1', ...rest].join(' '), 'KEEPTTL');
  for (let i = 0; i < 4; i++) await write(retention, 'y'.repeat(2000));
  const bytes = (await admin.lrange(keyOf('h:'), 0, -1)).filter((_, at) => at % 2 === 1).join('').length;
  expect(bytes).toBeLessThanOrEqual(10_000);
});

it('keeps the epoch before beside the count of bytes', async () => {
  const retention = { mode: 'ordered', size: 100, ttlMs: 60_000, bytesMax: 10_000 } as const;
  await write(retention);
  const stream = { stream: STREAM, retention, user: 'u1' };
  // As if another process had written this.
  const told = (await admin.get(keyOf('m:')))!.replace(/^\d{6}/, '000000');
  await admin.set(keyOf('m:'), told, 'KEEPTTL');
  const before = { epoch: told.split(' ')[0]!, offset: 1 };
  await write(retention);
  await write(retention);
  expect(await engine.read(stream, before, 10)).toMatchObject({ offset: 3, recovered: true });
});

// Of a meta only the digits of the top are written over, which another number of digits does not fit into.
it('counts on across digits and keeps the life of the meta', async () => {
  const retention = { mode: 'ordered', size: 5, ttlMs: 3_600_000 } as const;
  await write(retention);
  const [epoch, , renewAt] = (await admin.get(keyOf('m:')))!.split(' ');
  await admin.set(keyOf('m:'), `${epoch} 98 ${renewAt} 000000a 7`, 'PX', 50_000_000);
  for (const top of [99, 100, 101]) {
    await write(retention);
    expect(await admin.get(keyOf('m:'))).toBe(`${epoch} ${top} ${renewAt} 000000a 7`);
  }
  expect(await admin.pttl(keyOf('m:'))).toBeLessThanOrEqual(50_000_000);
});

it('forgets the count of bytes once they are not bounded any more', async () => {
  const retention = { mode: 'ordered', size: 5, ttlMs: 3_600_000 } as const;
  await write({ ...retention, bytesMax: 10_000 });
  expect(await admin.get(keyOf('m:'))).toMatch(/^\S+ 1 \d+\/\d+$/);
  await write(retention);
  expect(await admin.get(keyOf('m:'))).toMatch(/^\S+ 2 \d+$/);
});

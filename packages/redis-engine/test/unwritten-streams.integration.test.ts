import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Retention } from '@ws-gateway/core';
import { testRedisUrl } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { RedisEngine } from '../src/index.js';
import { createHarness } from './harness.js';

const HOUR_MS = 3_600_000;
const retention: Retention = { mode: 'ordered', size: 10, ttlMs: HOUR_MS };

let admin: Redis;
let prefix: string;
let engine: RedisEngine;
beforeAll(async () => {
  admin = new Redis(testRedisUrl());
  const harness = await createHarness();
  prefix = harness.keyPrefix;
  engine = harness.createEngine('n1');
  await engine.start(new RecordingInbox());
});
afterAll(async () => {
  await engine.stop();
  await admin.quit();
});

const channel = (stream: string) => ({ stream, retention, user: null });
const lifeOf = (stream: string) => admin.pttl(`${prefix}:{0}:m:${stream}`);

// A client may name any key of a topic. When each name that somebody once asked for stayed in Redis for a day, one client
// could fill it.
it('what was never written is forgotten minutes after nobody is there, and told as before until then', async () => {
  const names = Array.from({ length: 450 }, (_, at) => `quotes/k/${at}`);
  await engine.watch(names);
  const told = await engine.positions(names.map(channel));
  expect(await lifeOf('quotes/k/449')).toBeGreaterThan(HOUR_MS);
  await engine.unwatch(names);
  for (const name of [names[0]!, names[449]!]) expect(await lifeOf(name)).toBeLessThanOrEqual(120_000);
  const { epoch, offset } = told[449]!;
  expect(await engine.read(channel(names[449]!), { epoch, offset }, 10)).toMatchObject({ epoch, recovered: true });
  await engine.watch(names);
  expect(await engine.positions(names.map(channel))).toEqual(told);
  expect(await lifeOf('quotes/k/449')).toBeGreaterThan(HOUR_MS);
  await engine.unwatch(names);
  expect(await admin.exists(`${prefix}:{0}:int:quotes/k/449`)).toBe(0);
});

it('a look at what nobody wrote and nobody watches leaves nothing for long', async () => {
  await engine.read(channel('quotes/k/looked'), null, 10);
  await engine.positions([channel('quotes/k/asked')]);
  for (const name of ['looked', 'asked']) expect(await lifeOf(`quotes/k/${name}`)).toBeLessThanOrEqual(120_000);
});

it('what was written is kept as its topic says, whoever is there', async () => {
  const stream = 'quotes/k/written';
  const head = `{"stream":"${stream}","epoch":"`;
  await engine.watch([stream]);
  const item = { kind: 'channel', stream, retention, head, sourceOffset: -1, recordTimeMs: 1 } as const;
  await engine.publish({ source: null, items: [item] });
  await engine.unwatch([stream]);
  expect(await lifeOf(stream)).toBeGreaterThan(HOUR_MS);
});

it('the epoch of a stream of a user lasts, though no node watches it', async () => {
  await engine.positions([{ stream: 'quotes/u/ann', retention, user: 'ann' }]);
  expect(await lifeOf('quotes/u/ann')).toBeGreaterThan(HOUR_MS);
});

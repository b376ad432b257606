import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Position, RetainedStream, Retention } from '@ws-gateway/core';
import { startRedis } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import { Redis } from 'ioredis';
import type { RedisEngine } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const HOUR_MS = 3_600_000;
const retention: Retention = { mode: 'ordered', size: 10, ttlMs: HOUR_MS };
const own: RetainedStream = { stream: 't/u/u1', retention, user: 'u1' };

let admin: Redis;
let base: string;
let engine: RedisEngine;
let cleanups: (() => Promise<unknown>)[];
beforeEach(async () => {
  const redis = await startRedis();
  admin = new Redis({ host: '127.0.0.1', port: redis.port });
  const harness = await createHarness({ server: serverAt(`redis://${redis.address}`) });
  base = `${harness.keyPrefix}:{0}:`;
  engine = harness.createEngine('n1');
  cleanups = [() => redis.stop(), () => admin.quit(), () => engine.stop()];
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function start(): Promise<void> {
  await engine.start(new RecordingInbox());
}

async function told(): Promise<Position> {
  return (await engine.positions([own]))[0]!;
}

async function write(): Promise<void> {
  const head = `{"stream":"${own.stream}","epoch":"`;
  const item = { kind: 'user', topic: 't', user: 'u1', retention, head, sourceOffset: -1, recordTimeMs: 1 } as const;
  await engine.publish({ source: null, items: [item] });
}

/** An epoch as it was told so many half days before. */
function earlier(epoch: string, halfDays: number): string {
  const [, start, halfDay] = /^(\d{6}u[0-9a-f]{6})([0-9a-f]+)$/.exec(epoch)!;
  return start! + (Number.parseInt(halfDay!, 16) - halfDays).toString(16);
}

async function isGood(epoch: string, offset: number): Promise<boolean> {
  return (await engine.read(own, { epoch, offset }, 10)).recovered;
}

// A visitor with two topics left 280 bytes for a day, whatever came; anybody could name keys of a topic and fill Redis.
describe('a stream that was never written', () => {
  it('leaves nothing in Redis, whoever looks at it, comes and goes', async () => {
    await start();
    const before = new Set(await admin.keys('*'));
    const channel = { stream: 'quotes/k/AAPL', retention, user: null };
    await engine.watch([channel.stream]);
    const visit = { connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, sessions: null };
    await engine.admit({ ...visit, streams: [own, channel] });
    await engine.positions([own, channel]);
    await engine.read(channel, null, 10);
    await engine.acknowledged(own);
    await engine.acknowledge(own, 0);
    await engine.unwatch([channel.stream]);
    await engine.release([visit]);
    expect((await admin.keys('*')).filter((key) => !before.has(key))).toEqual([]);
  });

  it('is told under one epoch, which its first message begins', async () => {
    await start();
    const position = await told();
    expect(await told()).toEqual(position);
    await write();
    const page = await engine.read(own, position, 10);
    expect(page).toMatchObject({ epoch: position.epoch, offset: 1, recovered: true });
    expect(page.messages).toHaveLength(1);
  });

  it('has a position that is good for a day at least, and not for longer than what was written is remembered', async () => {
    await start();
    const { epoch } = await told();
    for (const halfDays of [0, 1, 2]) expect(await isGood(earlier(epoch, halfDays), 0)).toBe(true);
    for (const halfDays of [3, 4, 1000]) expect(await isGood(earlier(epoch, halfDays), 0)).toBe(false);
    expect(await isGood(earlier(epoch, 1), 1)).toBe(false);
    await write();
    for (const halfDays of [0, 1, 2]) expect(await isGood(earlier(epoch, halfDays), 0)).toBe(true);
    expect(await isGood(earlier(epoch, 3), 0)).toBe(false);
    expect(await isGood(earlier(epoch, 1), 1)).toBe(false);
    expect(await admin.pttl(`${base}m:${own.stream}`)).toBeGreaterThan(35 * HOUR_MS);
  });

  it('has another epoch in another data set', async () => {
    await start();
    const { epoch } = await told();
    await admin.set(`${base}dataset`, 'another');
    expect((await told()).epoch).not.toBe(epoch);
    expect(await isGood(epoch, 0)).toBe(false);
  });

  it('has a position that another Redis process knows, which begins an epoch of its own', async () => {
    await start();
    const { epoch } = await told();
    const ofAnother = `000000${epoch.slice(6)}`;
    expect(await isGood(ofAnother, 0)).toBe(true);
    await write();
    expect(await isGood(ofAnother, 0)).toBe(true);
    // What that process gave this offset to may be lost.
    expect(await isGood(ofAnother, 1)).toBe(false);
  });
});

it('a stream that was erased begins again under another epoch, and what was told before is not good', async () => {
  await start();
  const before = await told();
  await write();
  await engine.erase('u1', [own]);
  const after = await told();
  expect(after).toMatchObject({ offset: 0 });
  expect(after.epoch).not.toBe(before.epoch);
  for (const offset of [0, 1]) expect(await isGood(before.epoch, offset)).toBe(false);
  await write();
  expect(await told()).toEqual({ epoch: after.epoch, offset: 1 });
  for (const offset of [0, 1]) expect(await isGood(before.epoch, offset)).toBe(false);
});

// What was written could be forgotten then, and its epoch must not come again.
it('a stream that was never written is kept where Redis evicts keys', async () => {
  await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
  await start();
  const position = await told();
  expect(await told()).toEqual(position);
  expect(await admin.get(`${base}m:${own.stream}`)).toBe(`${position.epoch} 0 0`);
  await admin.del(`${base}m:${own.stream}`);
  expect(await isGood(position.epoch, 0)).toBe(false);
});

// Who was connected when a half day ended got the first message under an epoch that it was not told, and loaded anew.
describe('a stream that is kept because clients were told of it', () => {
  /** Epochs of streams of which nothing is kept are others from here on, as they are in the next half day. */
  const passHalfDay = () => admin.set(`${base}dataset`, 'another');

  it('begins the epoch that was told, whenever it is written', async () => {
    await start();
    const position = await told();
    await engine.keep([own]);
    await passHalfDay();
    expect(await told()).toEqual(position);
    await write();
    expect(await told()).toEqual({ epoch: position.epoch, offset: 1 });
    expect(await isGood(position.epoch, 0)).toBe(true);
  });

  it('begins another one if it was not kept', async () => {
    await start();
    const { epoch } = await told();
    await passHalfDay();
    await write();
    expect((await told()).epoch).not.toBe(epoch);
  });

  it('is remembered for as long as what was written, which is remembered longer for it', async () => {
    await start();
    await engine.keep([own]);
    expect(await admin.pttl(`${base}m:${own.stream}`)).toBeGreaterThan(35 * HOUR_MS);
    await write();
    await admin.pexpire(`${base}m:${own.stream}`, HOUR_MS);
    await engine.keep([own]);
    expect(await admin.pttl(`${base}m:${own.stream}`)).toBeGreaterThan(35 * HOUR_MS);
    expect(await told()).toMatchObject({ offset: 1 });
  });
});

// A crowd of guests asked for the same shared streams one after the other.
it('streams that many ask for in one turn are asked for once', async () => {
  await start();
  const streams = Array.from({ length: 300 }, (_, at) => ({ stream: `rooms/${at}`, retention, user: null }));
  const before = await scriptCalls();
  const asked = await Promise.all([engine.positions(streams), engine.positions(streams), engine.positions([own])]);
  expect(asked[0]).toHaveLength(300);
  expect(asked[1]).toEqual(asked[0]);
  expect(asked[2]).toEqual([await told()]);
  // 301 streams in calls of 256, and the one that was just asked for; the node's own calls go on meanwhile.
  expect((await scriptCalls()) - before).toBeLessThan(20);
});

async function scriptCalls(): Promise<number> {
  const stats = await admin.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

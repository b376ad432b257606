import { afterEach, describe, expect, it } from '@jest/globals';
import type { RouterOptions } from '../../src/index.js';
import { range, recordsOf, RouterHarness, sourceRecord, until } from './router-kit.js';
import { topicPolicy } from '../policies.js';

let harness: RouterHarness;

afterEach(async () => {
  await harness.stop();
});

async function started(options: Partial<RouterOptions> = {}): Promise<RouterHarness> {
  harness = new RouterHarness(options);
  await harness.start();
  return harness;
}

describe('a lane', () => {
  it('takes records to the engine in order, in chunks, two calls in flight, each naming the one before', async () => {
    const { engine, stats } = await started({ chunkRecords: 10 });
    harness.push(recordsOf(0, 95));
    harness.push(recordsOf(95, 100));
    await harness.committed(100);
    expect(engine.offsets).toEqual(range(0, 100));
    expect(engine.batches.map(({ items }) => items.length)).toEqual(Array(10).fill(10));
    expect(engine.batches.map(({ source }) => source)).toEqual(
      range(0, 10).map((i) => ({
        topic: 'notifications',
        partition: 0,
        previousOffset: i * 10 - 1,
        lastOffset: i * 10 + 9,
        mark: expect.objectContaining({ offset: i * 10 + 9, log: '' }),
        repeated: false,
      })),
    );
    expect(engine.inFlightMax).toBe(2);
    expect(stats.routed).toBe(100);
    expect(stats.messagesProcessed.values.get('notifications')).toBe(100);
    expect(stats.messagesByType.values.get('notification')).toBe(100);
    expect(stats.messagesByUser.values.size).toBe(0);
    expect(stats.lag.get('notifications')?.get(0)).toBe(0);
  });

  it('knows the lag of a partition before its first record comes', async () => {
    const { stats } = await started();
    await harness.assign({ partition: 1, offset: 3, endOffset: 7 });
    expect([...stats.lag.get('notifications')!]).toEqual([
      [0, 0],
      [1, 4],
    ]);
  });

  it('bounds a chunk by bytes, of records and of the frames they become', async () => {
    const { engine } = await started({ chunkBytes: 5000 });
    harness.push(recordsOf(0, 4, () => ({ user_id: 'u', payload: 'x'.repeat(3000) })));
    await harness.committed(4);
    expect(engine.batches.map(({ items }) => items.length)).toEqual([2, 2]);
    const users = range(0, 30).map((i) => `u${i}`);
    harness.push(recordsOf(4, 6, () => ({ users, payload: 'x'.repeat(500) })));
    await harness.committed(6);
    expect(engine.batches.slice(2).map(({ items }) => items.length)).toEqual([30, 30]);
  });

  it('counts offsets that are missing in between as settled', async () => {
    await started();
    harness.push([5, 9, 1000].map((offset) => sourceRecord(offset, { user_id: 'u', payload: 1 })));
    await harness.committed(1001);
    expect(harness.engine.offsets).toEqual([5, 9, 1000]);
  });

  it('gives the event loop its turn between two chunks', async () => {
    const { engine } = await started({ chunkRecords: 1 });
    let turns = 0;
    let counting = true;
    const count = (): void => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    harness.push(recordsOf(0, 50));
    await until(() => engine.items.length === 50, 'all is applied');
    counting = false;
    expect(turns).toBeGreaterThanOrEqual(50);
  });

  it('pauses its partition when it holds too much, and resumes it at half', async () => {
    const { engine, source } = await started({ laneQueueBytes: 20_000, chunkRecords: 10 });
    let open = (): void => {};
    engine.gate = new Promise((resolve) => (open = resolve));
    const big = (offset: number): unknown => ({ user_id: `u${offset}`, payload: 'x'.repeat(900) });
    harness.push(recordsOf(0, 15, big));
    expect(source.paused.size).toBe(0);
    harness.push(recordsOf(15, 30, big));
    expect([...source.paused]).toEqual(['notifications/0']);
    await until(() => engine.inFlight === 2, 'two calls are in flight');
    expect(engine.batches).toHaveLength(2);
    expect(source.paused.size).toBe(1);
    open();
    await until(() => source.paused.size === 0, 'the partition is resumed');
    await harness.committed(30);
  });

  it('does not wait for another one', async () => {
    const { engine } = await started({ chunkRecords: 5 });
    await harness.assign({ partition: 1, endOffset: 0 });
    engine.refuse = ({ source }) => (source!.partition === 0 ? new Error('defect') : null);
    harness.push(recordsOf(0, 3));
    harness.push(recordsOf(0, 50), 1);
    await harness.committed(50, 1);
    expect(harness.committedNow).toBe(0);
    engine.refuse = () => null;
    await harness.committed(3);
  });

  it('leaves out records that were handed over before', async () => {
    await started();
    harness.push(recordsOf(0, 10));
    harness.push(recordsOf(5, 15));
    await harness.committed(15);
    harness.push(recordsOf(12, 15));
    harness.push(recordsOf(15, 16));
    await harness.committed(16);
    expect(harness.engine.offsets).toEqual(range(0, 16));
    expect(harness.stats.messagesProcessed.values.get('notifications')).toBe(16);
  });

  it('counts messages by user when told to', async () => {
    const { stats } = await started({ perUserStats: true });
    harness.push(recordsOf(0, 3, (offset) => ({ users: ['a', `b${offset}`], payload: 1 })));
    await harness.committed(3);
    expect(stats.messagesByUser.values.get('a')).toBe(3);
    expect(stats.messagesByUser.values.get('b2')).toBe(1);
  });

  it('drops what is too old, counts it, and goes on', async () => {
    const { stats, engine } = await started({ topics: [topicPolicy('notifications', { ttlMs: 60_000 })] });
    const old = recordsOf(0, 5).map((record) => ({ ...record, timestamp: Date.now() - 61_000 }));
    harness.push(old);
    await harness.committed(5);
    expect(engine.batches).toHaveLength(0);
    harness.push(recordsOf(5, 6));
    await harness.committed(6);
    expect(stats.expired.values.get('notifications')).toBe(5);
    expect(engine.batches[0]!.source!.previousOffset).toBe(-1);
  });
});

describe('the router', () => {
  it('opens a partition when the engine has told its position, as often as that takes, and reads nothing before', async () => {
    harness = new RouterHarness();
    const { engine, router, source } = harness;
    engine.claimFailures = 1;
    await router.start();
    const assigned = harness.assign({ offset: 4, endOffset: 7 });
    expect(source.paused.size).toBe(1);
    harness.push(recordsOf(4, 7));
    await assigned;
    expect(source.seeks).toEqual([{ topic: 'notifications', partition: 0, offset: 4 }]);
    expect(source.paused.size).toBe(0);
    harness.push(recordsOf(4, 7));
    await harness.committed(7);
    expect(engine.offsets).toEqual([4, 5, 6]);
  });

  it('commits only when something moved, and again when a commit failed', async () => {
    const { source, stats } = await started();
    source.commitFailures = 2;
    harness.push(recordsOf(0, 10));
    await harness.committed(10);
    expect(stats.kafkaErrors.values.get('commit')).toBe(2);
    const { commits } = source;
    harness.push(recordsOf(10, 11));
    await harness.committed(11);
    expect(source.commits).toBe(commits + 1);
  });

  it('lets revoked partitions finish their calls, commits them and takes no more', async () => {
    const { engine, router, source } = await started({ chunkRecords: 5, commitIntervalMs: 60_000 });
    let open = (): void => {};
    engine.gate = new Promise((resolve) => (open = resolve));
    harness.push(recordsOf(0, 100));
    await until(() => engine.inFlight === 2, 'two calls are in flight');
    const revoked = router.revoked([{ topic: 'notifications', partition: 0 }]);
    harness.push(recordsOf(100, 110));
    open();
    await revoked;
    expect(engine.offsets).toEqual(range(0, 10));
    expect(source.committed.get('notifications/0')).toBe(10);
    expect(harness.stats.lag.get('notifications')?.has(0)).toBe(false);
  });

  it('gives a revoked partition up when its calls hang', async () => {
    const { engine, router } = await started({ revokeTimeoutMs: 20 });
    engine.gate = new Promise(() => {});
    harness.push(recordsOf(0, 10));
    await until(() => engine.inFlight === 1, 'a call is in flight');
    await router.revoked([{ topic: 'notifications', partition: 0 }]);
    expect(harness.committedNow).toBe(0);
  });

  it('goes on from the committed offset when a partition comes back, without duplicates', async () => {
    const { engine, router, source } = await started();
    source.log = recordsOf(0, 12);
    harness.push(source.log.slice(0, 10));
    await harness.committed(10);
    await router.revoked([{ topic: 'notifications', partition: 0 }]);
    await harness.assign({ endOffset: 12, committed: { ...harness.commit, offset: 8 } });
    harness.push(source.log.slice(8));
    await harness.committed(12);
    expect(engine.offsets).toEqual(range(0, 12));
    expect(harness.stats.duplicates).toBe(2);
  });

  it('lifts the pause of a partition that is assigned again', async () => {
    const { engine, source } = await started({ laneQueueBytes: 500, revokeTimeoutMs: 20 });
    engine.gate = new Promise(() => {});
    harness.push(recordsOf(0, 10));
    expect(source.paused.size).toBe(1);
    await harness.assign({ partition: 0, endOffset: 10 });
    expect(source.paused.size).toBe(0);
  });

  it('settles and commits all that it has read before it leaves the group', async () => {
    const { engine, source } = await started({ chunkRecords: 3, commitIntervalMs: 60_000 });
    harness.push(recordsOf(0, 100));
    await harness.stop();
    expect(engine.offsets).toEqual(range(0, 100));
    expect(source.committed.get('notifications/0')).toBe(100);
    expect(source.paused.size).toBe(1);
    expect(source.stopped).toBe(true);
  });

  it('leaves the group in time when the engine does not come back', async () => {
    const { engine, source } = await started({ revokeTimeoutMs: 20 });
    engine.gate = new Promise(() => {});
    harness.push(recordsOf(0, 10));
    await harness.stop(20);
    expect(source.stopped).toBe(true);
    expect(harness.committedNow).toBe(0);
  });

  it('takes no notice of topics and partitions that are not its own', async () => {
    const { router, engine } = await started();
    await harness.assign({ topic: 'other' });
    router.records('other', 0, recordsOf(0, 5), { nextOffset: 5, endOffset: 5 });
    harness.push(recordsOf(0, 5), 9);
    harness.push(recordsOf(0, 5));
    await harness.committed(5);
    expect(engine.items).toHaveLength(5);
  });
});

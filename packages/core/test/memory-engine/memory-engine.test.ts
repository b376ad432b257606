import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { EngineStats, MemoryEngine, type Inbox, type PublishItem, type Retention } from '../../src/index.js';

// The contract of Engine is tested by the conformance suite in the testkit; here is what is special.

const DAY_MS = 86_400_000;
const retention: Retention = { mode: 'ordered', size: 10, ttlMs: 1000 };
const own = { stream: 't/u/u1', retention, user: 'u1' };

const ignore = () => undefined;
const inbox: Inbox = {
  deliver: ignore,
  broadcast: ignore,
  command: ignore,
  endBatch: ignore,
  rebuild: async () => undefined,
  holds: () => true,
};

function item(text: string): PublishItem {
  return { kind: 'user', topic: 't', user: 'u1', retention, head: text, sourceOffset: -1, recordTimeMs: 1 };
}

describe('MemoryEngine', () => {
  let engine: MemoryEngine;
  let stats: EngineStats;

  beforeEach(async () => {
    jest.useFakeTimers();
    stats = new EngineStats();
    engine = new MemoryEngine({ node: 'n1', stats });
    await engine.start(inbox);
  });

  afterEach(async () => {
    await engine.stop();
    jest.useRealTimers();
  });

  it('forgets a stream that nobody used for a day and a half, so that memory does not grow with users of long ago', async () => {
    const [before] = await engine.positions([own]);
    await engine.publish({ source: null, items: [item('a')] });
    jest.advanceTimersByTime(DAY_MS / 2);
    expect(await engine.positions([own])).toEqual([{ epoch: before!.epoch, offset: 1 }]);
    jest.advanceTimersByTime(1.5 * DAY_MS + 120_000);
    const [after] = await engine.positions([own]);
    expect(after!.offset).toBe(0);
    expect(after!.epoch).not.toBe(before!.epoch);
  });

  it('hands a batch over in a later turn of the loop, and nothing after it was stopped', async () => {
    const delivered: string[] = [];
    await engine.stop();
    engine = new MemoryEngine({ node: 'n1', stats });
    await engine.start({ ...inbox, deliver: ({ frame }) => delivered.push(Buffer.from(frame).toString()) });
    await engine.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    const plain = { ...item('a'), retention: null } as PublishItem;
    await engine.publish({ source: null, items: [plain] });
    expect(delivered).toEqual([]);
    jest.runOnlyPendingTimers();
    expect(delivered).toEqual(['a']);
    await engine.publish({ source: null, items: [plain] });
    await engine.stop();
    jest.runOnlyPendingTimers();
    expect(delivered).toEqual(['a']);
  });

  it('counts what it does', async () => {
    await engine.admit({ connection: 'c1', user: 'u1', endpoint: '/ws', sinceMs: 1, streams: [], sessions: null });
    await engine.publish({ source: null, items: [item('a'), item('b')] });
    await engine.release([{ connection: 'c1', user: 'u1' }]);
    await engine.publish({ source: null, items: [item('c')] });
    expect([stats.registrations, stats.unregistrations, stats.publications]).toEqual([1, 1, 1]);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { EngineError, formatStartNote, type BlockItem, type SourceRecord } from '../../src/index.js';
import { formatCommitNote } from '../../src/router/commit-note.js';
import { range, recordsOf, RouterHarness, until, type LogLine } from './router-kit.js';

let harness: RouterHarness;

afterEach(async () => {
  await harness.stop();
});

const KEY = 'notifications/0';

/** Records that no other log has: their times differ. */
function logOf(length: number, bornMs: number): SourceRecord[] {
  return recordsOf(0, length).map((record) => ({ ...record, timestamp: bornMs + record.offset }));
}

const NOW = Date.now();

interface Before {
  /** Applied and committed of the log before. */
  readonly applied: number;
  readonly id?: string;
}

/** A router that has read a log, and stops. Returns that log. */
async function readBefore({ applied, id = '' }: Before): Promise<SourceRecord[]> {
  harness = new RouterHarness();
  const { source, router } = harness;
  source.log = logOf(applied, NOW - 100_000);
  await router.start();
  await harness.assign({ log: id, endOffset: applied });
  harness.push(source.log);
  await harness.committed(applied);
  await router.revoked([{ topic: 'notifications', partition: 0 }]);
  harness.engine.items.length = 0;
  return [...source.log];
}

/** The partition comes back with this log; resolves when all records from where the router wants them are applied. */
async function readOn(log: readonly SourceRecord[], own: Parameters<RouterHarness['assign']>[0] = {}): Promise<number> {
  const { source } = harness;
  const committed = harness.commit;
  source.log = log;
  source.committed.delete(KEY);
  const end = log.at(-1)!.offset + 1;
  await harness.assign({ committed, beginOffset: log[0]!.offset, endOffset: end, ...own });
  const { offset } = source.seeks.at(-1)!;
  if (end > offset) harness.push(log.filter((record) => record.offset >= offset));
  await harness.committed(end);
  return offset;
}

function warnings(): LogLine[] {
  return harness.lines.filter(({ level }) => level === 'warn');
}

describe('a topic that was deleted and made again', () => {
  for (const [size, length] of [
    ['longer', 150],
    ['as long', 100],
    ['shorter', 40],
  ] as const) {
    it(`is read from its first record, none of it taken for a repetition, when it is ${size} now`, async () => {
      await readBefore({ applied: 100 });
      expect(await readOn(logOf(length, NOW))).toBe(0);
      expect(harness.engine.offsets).toEqual(range(0, length));
      expect(harness.stats.duplicates).toBe(0);
      expect(warnings().map(({ message }) => message)).toEqual([
        'the topic is another one than before, its partition starts over',
      ]);
      expect(warnings()[0]!.fields).toMatchObject({ topic: 'notifications', partition: 0, applied: [99], offset: 0 });
    });
  }

  it('is read from its first record when the group has lost its offsets with the topic', async () => {
    await readBefore({ applied: 100, id: 'a' });
    const committed = { topic: 'notifications', partition: 0, offset: 0, note: formatStartNote('b', 'again') };
    expect(await readOn(logOf(150, NOW), { log: 'b', committed })).toBe(0);
    expect(harness.engine.offsets).toEqual(range(0, 150));
  });

  it('goes on where the group stands in it when only the store speaks of another log', async () => {
    await readBefore({ applied: 100, id: 'a' });
    const committed = { ...harness.commit, offset: 30, note: harness.commit.note.replace('log=a', 'log=b') };
    expect(await readOn(logOf(150, NOW), { log: 'b', committed })).toBe(30);
    expect(harness.engine.offsets).toEqual(range(30, 150));
  });

  it('is told by the id of the topic where the record that stood there is no longer kept', async () => {
    await readBefore({ applied: 100, id: 'a' });
    expect(await readOn(logOf(150, NOW).slice(120), { log: 'b' })).toBe(120);
    expect(warnings()).toHaveLength(1);
  });
});

describe('a log that is the same', () => {
  it('goes on at the committed offset', async () => {
    const log = await readBefore({ applied: 100 });
    expect(await readOn([...log, ...logOf(110, NOW).slice(100)])).toBe(100);
    expect(harness.engine.offsets).toEqual(range(100, 110));
    expect(warnings()).toEqual([]);
  });

  it('repeats nothing when the group has lost its offsets', async () => {
    const log = await readBefore({ applied: 100 });
    const committed = { topic: 'notifications', partition: 0, offset: 0, note: formatStartNote('', 'again') };
    expect(await readOn([...log, ...logOf(110, NOW).slice(100)], { committed })).toBe(100);
    expect(harness.engine.offsets).toEqual(range(100, 110));
    expect(warnings()).toHaveLength(1);
  });

  it('repeats and leaves out nothing when the committed offset is beyond its end', async () => {
    const log = await readBefore({ applied: 100 });
    const committed = { topic: 'notifications', partition: 0, offset: 4711, note: '' };
    expect(await readOn([...log, ...logOf(110, NOW).slice(100)], { committed })).toBe(100);
    expect(harness.engine.offsets).toEqual(range(100, 110));
  });

  it('that lost its end goes on behind what is left, and takes what comes then for new', async () => {
    const log = await readBefore({ applied: 100, id: 'a' });
    expect(await readOn(log.slice(0, 95), { log: 'a' })).toBe(95);
    expect(warnings()).toHaveLength(1);
    harness.push(logOf(120, NOW).slice(95));
    await harness.committed(120);
    expect(harness.engine.offsets).toEqual(range(95, 120));
    expect(harness.stats.duplicates).toBe(0);
  });

  // What was written in the place of what was lost was passed over, up to the end that was left.
  it('that lost its end, with newer records in its place that do not reach the old end, goes on with the first of them', async () => {
    const log = await readBefore({ applied: 100, id: 'a' });
    expect(await readOn([...log.slice(0, 80), ...logOf(90, NOW).slice(80)], { log: 'a' })).toBe(80);
    expect(harness.engine.offsets).toEqual(range(80, 90));
    expect(harness.stats.duplicates).toBe(0);
  });

  it('whose first records were deleted before they were read goes on at the first that is left, with a warning', async () => {
    const log = await readBefore({ applied: 100, id: 'a' });
    expect(await readOn([...log, ...logOf(120, NOW).slice(100)].slice(110), { log: 'a' })).toBe(110);
    expect(warnings().map(({ message }) => message)).toEqual([
      'records were deleted before they were read, it goes on at the first that is left',
    ]);
  });

  it('that lost its end and has grown since goes on with the first record that is newer', async () => {
    const log = await readBefore({ applied: 100, id: 'a' });
    expect(await readOn([...log.slice(0, 95), ...logOf(120, NOW).slice(95)], { log: 'a' })).toBe(95);
    expect(harness.engine.offsets).toEqual(range(95, 120));
  });
});

describe('another router that goes on applying while a partition is opened', () => {
  it('makes the position be read again, and decided anew', async () => {
    const log = await readBefore({ applied: 100 });
    const { engine } = harness;
    const longer = [...log, ...logOf(110, NOW).slice(100)];
    engine.onClaim = () => {
      engine.onClaim = () => undefined;
      engine.applied.set(KEY, 104);
      engine.marks.set(KEY, null);
    };
    // The router sees an old row that speaks of another log; meanwhile the other one has moved it.
    engine.marks.set(KEY, { offset: 99, proof: '1-x', log: '', cluster: '' });
    await readOn(longer);
    expect(engine.offsets).toEqual(range(105, 110));
    expect(harness.stats.duplicates).toBeGreaterThan(0);
  });
});

// The first one to open it was taken the partition away again before it had committed anything.
it('a topic made again starts over although the rows of the old one are gone and only its commit is left', async () => {
  harness = new RouterHarness();
  const { source, router } = harness;
  await router.start();
  const note = formatCommitNote({ log: 'old-id', store: 'first', minuteBefore: 0, begins: null });
  const committed = { topic: 'notifications', partition: 0, offset: 12, note };
  await harness.assign({ committed, log: 'new-id', endOffset: 96 });
  expect(source.seeks.at(-1)!.offset).toBe(0);
});

// What lay beyond the end that was asked for was taken for cut off, and came again.
it('what another router applied beyond the end that was asked for is no other log', async () => {
  const before = await readBefore({ applied: 100, id: 'id' });
  const { source, engine } = harness;
  source.log = before;
  await harness.assign({ committed: { ...harness.commit, offset: 90 }, log: 'id', endOffset: 95 });
  expect(engine.applied.get(KEY)).toBe(99);
  expect(warnings()).toEqual([]);
});

describe('a store that lost what it had confirmed', () => {
  it('is given it again, once, as a repetition, when the next record is refused', async () => {
    harness = new RouterHarness({ chunkRecords: 5 });
    const { engine, source } = harness;
    await harness.start();
    const log = recordsOf(0, 40);
    harness.push(log.slice(0, 20));
    await harness.committed(20);
    engine.lose(KEY, 9);
    engine.items.length = 0;
    harness.push(log.slice(20, 30));
    await until(() => source.seeks.length === 2, 'the partition is read again');
    expect(source.seeks[1]!.offset).toBe(10);
    harness.push(log.slice(10));
    await harness.committed(40);
    expect(engine.offsets).toEqual(range(10, 40));
    const repeated = engine.batches.filter((batch) => batch.source?.repeated === true);
    expect(repeated.at(-1)!.source!.lastOffset).toBeGreaterThanOrEqual(19);
    expect(harness.lines.some(({ level, message }) => level === 'warn' && message.includes('the store lost'))).toBe(
      true,
    );
  });

  it('is given blocks again by their last word: nobody is blocked for a moment who is free since', async () => {
    harness = new RouterHarness({ chunkRecords: 1 });
    const { engine, source, router } = harness;
    await router.start();
    await harness.assign({ topic: 'user-blocks' });
    const say = (users: readonly string[], blocked: boolean) => ({ users, payload: { blocked } });
    const words = [say(['ann', 'bob'], true), say(['ann'], false), say(['bob'], true)];
    const log = recordsOf(0, 3, (offset) => words[offset]);
    const read = (from: number) => router.records('user-blocks', 0, log.slice(from), { nextOffset: 3, endOffset: 3 });
    read(0);
    await until(() => engine.items.length === 4, 'all is applied');
    engine.lose('user-blocks/0', -1);
    engine.items.length = 0;
    await until(() => source.seeks.length === 2, 'the partition is read again');
    read(0);
    await until(() => engine.items.length === 4, 'all is applied again');
    expect(engine.items.map((item) => item.kind === 'block' && [item.user, item.block !== null])).toEqual([
      ['ann', false],
      ['bob', true],
      ['ann', false],
      ['bob', true],
    ]);
    for (const item of engine.items) expect(item.head).toContain(`"user_id":"${(item as BlockItem).user}"`);
  });

  it('is given it again when no further record comes', async () => {
    harness = new RouterHarness();
    const { engine, source } = harness;
    await harness.start();
    const log = recordsOf(0, 20);
    harness.push(log);
    await harness.committed(20);
    engine.lose(KEY, 9);
    engine.items.length = 0;
    await until(() => source.seeks.length === 2, 'the partition is read again');
    await until(() => harness.committedNow === 10, 'the commit goes back');
    harness.push(log.slice(10));
    await harness.committed(20);
    expect(engine.offsets).toEqual(range(10, 20));
  });

  it('is left in peace when another process has all of it', async () => {
    harness = new RouterHarness();
    const { engine, source } = harness;
    await harness.start();
    harness.push(recordsOf(0, 20));
    await harness.committed(20);
    engine.store = 'another process';
    const seen = engine.batches.length;
    await until(() => harness.commit.note.includes('another process'), 'it was looked at');
    expect([source.seeks.length, engine.batches.length]).toEqual([1, seen]);
  });

  it('that came back empty is given the last minute again, and nothing older', async () => {
    // By a clock that nobody steps: on the time of day a step forward made that minute nothing.
    let nowMs = 0;
    harness = new RouterHarness({}, undefined, () => nowMs);
    const { engine, source } = harness;
    await harness.start();
    const log = recordsOf(0, 60);
    // In the moment that a call is applied, so that no tick of the router comes between.
    engine.loseAnswer = () => {
      nowMs += 40_000;
      return false;
    };
    for (const end of [20, 40, 60]) {
      harness.push(log.slice(end - 20, end));
      await harness.committed(end);
    }
    engine.loseAnswer = () => false;
    engine.lose(KEY, -1);
    engine.items.length = 0;
    await until(() => source.seeks.length === 2, 'the partition is read again');
    expect(source.seeks[1]!.offset).toBe(20);
    await harness.committed(20);
    harness.push(log.slice(20));
    await harness.committed(60);
    expect(engine.offsets).toEqual(range(20, 60));
  });

  // The lane was closed by then, and nobody read the partition any more.
  it('is given it again although it goes away once more in the middle of that', async () => {
    harness = new RouterHarness();
    const { engine, source } = harness;
    await harness.start();
    const log = recordsOf(0, 20);
    harness.push(log);
    await harness.committed(20);
    let failures = 3;
    engine.onClaim = () => {
      if (failures-- > 0) throw new EngineError('unavailable', 'away again');
    };
    engine.lose(KEY, 9);
    engine.items.length = 0;
    await until(() => source.seeks.length === 2, 'the partition is read again');
    await until(() => harness.committedNow === 10, 'the commit goes back');
    harness.push(log.slice(10));
    await harness.committed(20);
    expect(engine.offsets).toEqual(range(10, 20));
  });

  // One public stream has all records of a topic, and a single one went to another part of the store days ago.
  it.each([
    ['a part that gets few records says nothing of the loss', [99, 3], 90],
    ['a part that lost its row has lost a minute', [99, -1], 90],
    ['rows that are all older than the minute say themselves where it begins', [50, 3], 4],
  ])('is read again from the last minute: %s', async (_, [applied, other], from) => {
    harness = new RouterHarness();
    const { engine, source, router } = harness;
    await router.start();
    engine.applied.set(KEY, applied!);
    engine.otherRows = [other!];
    engine.store = 'another process';
    const note = formatCommitNote({ log: '', store: 'before', minuteBefore: 90, begins: null });
    await harness.assign({ committed: { topic: 'notifications', partition: 0, offset: 100, note }, endOffset: 100 });
    expect(source.seeks.at(-1)!.offset).toBe(from);
  });

  it('is given it again by the router that takes over from one that died with it', async () => {
    await readBefore({ applied: 100 });
    const { engine, source } = harness;
    const log = [...source.log];
    engine.lose(KEY, 79);
    expect(await readOn(log)).toBe(80);
    expect(engine.offsets).toEqual(range(80, 100));
    expect(engine.batches.at(-1)!.source!.repeated).toBe(true);
  });
});

describe('offsets that hold no record', () => {
  it('count as read: lag and commit reach the end', async () => {
    harness = new RouterHarness();
    await harness.start();
    const { router, stats } = harness;
    router.records('notifications', 0, recordsOf(0, 3), { nextOffset: 4, endOffset: 44 });
    await harness.committed(4);
    expect(stats.lag.get('notifications')!.get(0)).toBe(40);
    router.records('notifications', 0, [], { nextOffset: 44, endOffset: 44 });
    await harness.committed(44);
    expect(stats.lag.get('notifications')!.get(0)).toBe(0);
  });

  it('do not let records before them count as settled', async () => {
    harness = new RouterHarness({ chunkRecords: 2 });
    await harness.start();
    const { engine, router } = harness;
    let open = (): void => {};
    engine.gate = new Promise((resolve) => (open = resolve));
    router.records('notifications', 0, recordsOf(0, 10), { nextOffset: 15, endOffset: 15 });
    await until(() => engine.inFlight === 2, 'two calls are in flight');
    const revoked = router.revoked([{ topic: 'notifications', partition: 0 }]);
    open();
    await revoked;
    expect(harness.committedNow).toBe(4);
  });
});

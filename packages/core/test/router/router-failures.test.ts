import { afterEach, describe, expect, it } from '@jest/globals';
import {
  EngineError,
  EngineStats,
  MemoryEngine,
  type Inbox,
  type PublishBatch,
  type RouterOptions,
} from '../../src/index.js';
import { range, recordsOf, RouterHarness, sourceRecord, until, type LogLine } from './router-kit.js';

let harness: RouterHarness;

afterEach(async () => {
  await harness.stop();
});

async function started(options: Partial<RouterOptions> = {}): Promise<RouterHarness> {
  harness = new RouterHarness(options);
  await harness.start();
  return harness;
}

const KEY = 'notifications/0';

/** By the id, which has the offset in it: the last try comes without a source. */
function holds(offset: number): (batch: PublishBatch) => boolean {
  return ({ items }) => items.some(({ head }) => head.includes(`"id":"notifications:0:${offset}"`));
}

describe('a record that cannot be used', () => {
  it('does not hold up its partition', async () => {
    const { engine, writer, stats } = await started();
    const good = recordsOf(0, 20);
    const records = good.map((record) => (record.offset % 5 === 2 ? sourceRecord(record.offset, 'poison') : record));
    harness.push(records);
    await harness.committed(20);
    expect(engine.offsets).toEqual(range(0, 20).filter((offset) => offset % 5 !== 2));
    expect(engine.batches[0]!.source!.lastOffset).toBe(19);
    expect(writer.header('dlq-offset')).toEqual(['2', '7', '12', '17']);
    expect(stats.deadLetters.get('notifications')?.values.get('not_json')).toBe(4);
    expect(stats.deserializeErrors).toBe(4);
  });

  it('goes to the dead letters as it was, with where and why', async () => {
    const { writer } = await started();
    const record = { ...sourceRecord(7, { payload: 1 }), headers: { trace: Buffer.from([1, 2]), 'ws-id': 'x' } };
    harness.push([record, { ...sourceRecord(8, null), key: null }]);
    await harness.committed(9);
    expect(writer.written.map(({ topic }) => topic)).toEqual(['gw-dlq', 'gw-dlq']);
    expect(writer.written[0]!.record).toEqual({
      key: record.key,
      value: record.value,
      headers: {
        ...record.headers,
        'dlq-topic': 'notifications',
        'dlq-partition': '0',
        'dlq-offset': '7',
        'dlq-timestamp': new Date(record.timestamp).toISOString(),
        'dlq-group': 'gw',
        'dlq-error': 'no_audience',
        'dlq-message': expect.stringMatching(/./),
      },
    });
    expect(writer.written[1]!.record).toMatchObject({ key: null, value: null, headers: { 'dlq-error': 'empty' } });
  });

  it('goes to the topic that is configured for it', async () => {
    const { writer } = await started({ deadLetterTopic: 'graveyard' });
    harness.push([sourceRecord(0, 'poison')]);
    await harness.committed(1);
    expect(writer.written[0]!.topic).toBe('graveyard');
  });

  it('is not committed over before its dead letter is written', async () => {
    const { engine, writer, source } = await started({ chunkRecords: 2, laneQueueBytes: 10_000 });
    writer.refuse = () => new Error('no broker');
    harness.push([...recordsOf(0, 2), sourceRecord(2, 'poison'), ...recordsOf(3, 40)]);
    await harness.committed(2);
    await until(
      () => engine.offsets.at(-1) === 39 && writer.calls >= 3,
      'the rest is applied and writing was tried again',
    );
    expect(harness.committedNow).toBe(2);
    expect(source.paused.size).toBe(0);
    harness.push(recordsOf(40, 100));
    expect(source.paused.size).toBe(1);
    writer.refuse = () => null;
    await harness.committed(100);
    expect(source.paused.size).toBe(0);
    expect(writer.header('dlq-offset')).toEqual(['2']);
    const isRetry = ({ level, message }: LogLine) => level === 'warn' && message.includes('tried again');
    expect(harness.lines.filter(isRetry)).toHaveLength(1);
  });

  it('makes the partition wait when many of them cannot be written', async () => {
    const { engine, writer } = await started({ chunkRecords: 1 });
    writer.refuse = () => new Error('no broker');
    harness.push([...recordsOf(0, 10, () => 'poison'), ...recordsOf(10, 20)]);
    await until(() => writer.calls >= 8, 'writing was tried again');
    expect(engine.items).toHaveLength(0);
    writer.refuse = () => null;
    await harness.committed(20);
    expect(writer.written).toHaveLength(10);
    expect(engine.offsets).toEqual(range(10, 20));
  });

  it('too large for the broker with its new headers leaves a note instead', async () => {
    const { writer } = await started();
    const tooLarge = Object.assign(new Error('too large'), { code: 'record_too_large', retryable: false });
    writer.refuse = (records) => (records.some(({ value }) => (value?.length ?? 0) > 50) ? tooLarge : null);
    harness.push([sourceRecord(0, 'poison'), sourceRecord(1, 'poison'.repeat(20)), sourceRecord(2, 'poison')]);
    await harness.committed(3);
    expect(writer.header('dlq-offset')).toEqual(['0', '1', '2']);
    expect(writer.written.map(({ record }) => record.value === null)).toEqual([false, true, false]);
    expect(writer.written[1]!.record.headers).toMatchObject({ 'dlq-error': 'not_json' });
    expect(harness.lines.some(({ level }) => level === 'error')).toBe(true);
  });

  // Retried for ever, four such letters stopped their partition for good.
  it('is lost when the broker refuses its letter for good: that is told and counted, and the partition goes on', async () => {
    const { writer, stats, engine } = await started();
    const refusal = { code: 'not_authorized', reason: 'TOPIC_AUTHORIZATION_FAILED', retryable: false };
    writer.refuse = () => Object.assign(new Error('refused'), refusal);
    harness.push([...recordsOf(0, 6, () => 'poison'), ...recordsOf(6, 8)]);
    await harness.committed(8);
    expect(engine.offsets).toEqual([6, 7]);
    expect(stats.deadLettersLost.values.get('TOPIC_AUTHORIZATION_FAILED')).toBe(6);
    expect(performance.now() - stats.deadLettersLostMs).toBeLessThan(60_000);
    const errors = harness.lines.filter(({ level }) => level === 'error');
    expect(errors.map(({ fields }) => fields['dlq-offset'])).toEqual(['0', '1', '2', '3', '4', '5']);
    expect(errors[0]!.fields).toMatchObject({ 'dlq-topic': 'notifications', 'dlq-partition': '0' });
  });

  it('without a key is given one when the broker wants one for its letter', async () => {
    const { writer, stats } = await started();
    const refusal = { code: 'internal', reason: 'INVALID_RECORD', retryable: false };
    writer.refuse = (records) =>
      records.some(({ key }) => key === null) ? Object.assign(new Error('refused'), refusal) : null;
    harness.push([{ ...sourceRecord(0, 'poison'), key: null }, sourceRecord(1, 'poison')]);
    await harness.committed(2);
    expect(writer.written.map(({ record }) => String(record.key))).toEqual(['notifications:0:0', 'k']);
    expect(stats.deadLettersLost.values.size).toBe(0);
  });

  it('is a line in the log, the first one of its topic and reason', async () => {
    await started();
    harness.push([...recordsOf(0, 5, () => 'poison'), sourceRecord(5, { payload: 1 })]);
    await harness.committed(6);
    const lines = harness.lines.filter(({ message }) => message === 'dead letter');
    expect(lines.map(({ level, fields }) => [level, fields['offset'], fields['reason']])).toEqual([
      ['warn', 0, 'not_json'],
      ['warn', 5, 'no_audience'],
    ]);
    const cause: unknown = expect.stringContaining('JSON');
    expect(lines[0]!.fields).toMatchObject({ topic: 'notifications', partition: 0, cause });
  });

  it('keeps a header named like a member of every object', async () => {
    const { writer } = await started();
    const headers = JSON.parse('{"__proto__":"a","constructor":"b"}') as Record<string, string>;
    harness.push([{ ...sourceRecord(0, 'poison'), headers }]);
    await harness.committed(1);
    expect(Object.entries(writer.written[0]!.record.headers!).slice(0, 2)).toEqual(Object.entries(headers));
  });
});

describe('an engine that cannot be reached', () => {
  it('costs time only: everything is applied in order, once', async () => {
    const { engine } = await started({ chunkRecords: 10 });
    let failures = 3;
    engine.refuse = () => (failures-- > 0 ? new EngineError('unavailable', 'away') : null);
    harness.push(recordsOf(0, 100));
    await harness.committed(100);
    expect(engine.offsets).toEqual(range(0, 100));
    expect(harness.writer.written).toHaveLength(0);
    const isRetry = ({ level, message }: LogLine) => level === 'warn' && message.includes('tried again');
    expect(harness.lines.filter(isRetry)).toHaveLength(1);
  });

  it('whose answers are lost gets the same records again, and no position to expect', async () => {
    const { engine, stats } = await started({ chunkRecords: 10 });
    let lost = 1;
    engine.loseAnswer = () => lost-- > 0;
    harness.push(recordsOf(0, 100));
    await harness.committed(100);
    expect(engine.offsets).toEqual(range(0, 100));
    expect(stats.duplicates).toBe(10);
    expect(engine.batches[2]!.source).toMatchObject({ previousOffset: -1, lastOffset: 9, repeated: true });
  });

  it('and refuses the second call in flight gets both again', async () => {
    const { engine } = await started({ chunkRecords: 10 });
    let open = (): void => {};
    engine.gate = new Promise((resolve) => (open = resolve));
    let failures = 1;
    engine.refuse = () => (failures-- > 0 ? new EngineError('unavailable', 'away') : null);
    harness.push(recordsOf(0, 30));
    await until(() => engine.inFlight === 2, 'two calls are in flight');
    open();
    await harness.committed(30);
    expect(engine.offsets).toEqual(range(0, 30));
    const ranges = engine.batches.map(({ source }) => [source!.previousOffset, source!.lastOffset, source!.repeated]);
    expect(ranges).toEqual([
      [-1, 9, false],
      [9, 19, false],
      [-1, 9, true],
      [9, 19, true],
      [19, 29, false],
    ]);
  });

  it('pauses the partition when the lane is full', async () => {
    const { engine, source } = await started({ laneQueueBytes: 2000 });
    let away = true;
    engine.refuse = () => (away ? new EngineError('unavailable', 'away') : null);
    harness.push(recordsOf(0, 10));
    expect(source.paused.size).toBe(0);
    harness.push(recordsOf(10, 20));
    expect(source.paused.size).toBe(1);
    away = false;
    await harness.committed(20);
    expect(source.paused.size).toBe(0);
  });

  it('does not keep a lane from being revoked', async () => {
    const { engine, router } = await started();
    engine.refuse = () => new EngineError('unavailable', 'away');
    harness.push(recordsOf(0, 10));
    await until(() => engine.batches.length > 0, 'a call was made');
    const before = Date.now();
    await router.revoked([{ topic: 'notifications', partition: 0 }]);
    expect(Date.now() - before).toBeLessThan(10_000);
    expect(harness.committedNow).toBe(0);
  });
});

describe('a record that the engine refuses', () => {
  const defect = new EngineError('internal', 'script error');

  it('becomes a dead letter when the engine takes the records behind it, which arrive', async () => {
    const { engine, writer, stats } = await started({ chunkRecords: 10 });
    engine.refuse = (batch) => (holds(4)(batch) || holds(5)(batch) ? defect : null);
    harness.push(recordsOf(0, 30));
    await harness.committed(30);
    expect(engine.offsets).toEqual(range(0, 30).filter((offset) => offset !== 4 && offset !== 5));
    expect(writer.header('dlq-offset')).toEqual(['4', '5']);
    expect(writer.header('dlq-error')).toEqual(['bad_member', 'bad_member']);
    expect(writer.header('dlq-message')[0]).toContain('script error');
    expect(stats.deadLetters.get('notifications')?.values.get('bad_member')).toBe(2);
  });

  it('at the end of a partition waits for the next record, which arrives', async () => {
    const { engine, writer } = await started({ chunkRecords: 10 });
    engine.refuse = (batch) => (holds(9)(batch) ? defect : null);
    harness.push(recordsOf(0, 10));
    await until(() => engine.batches.filter(holds(9)).length >= 3, 'it was tried again');
    expect(writer.written).toHaveLength(0);
    expect(engine.offsets).toEqual(range(0, 9));
    harness.push(recordsOf(10, 12));
    await harness.committed(12);
    expect(engine.offsets).toEqual([...range(0, 9), 10, 11]);
    expect(writer.header('dlq-offset')).toEqual(['9']);
  });

  it('keeps the messages of one record together', async () => {
    const { engine } = await started();
    engine.refuse = (batch) => (holds(1)(batch) ? defect : null);
    harness.push(recordsOf(0, 3, () => ({ users: ['a', 'b', 'c'], payload: 1 })));
    await harness.committed(3);
    expect(engine.offsets).toEqual([0, 0, 0, 2, 2, 2]);
  });

  it('for several users is whole when only the last try succeeds, behind the next record', async () => {
    const { engine, writer } = await started();
    engine.refuse = (batch) => (batch.source !== null && holds(1)(batch) ? defect : null);
    harness.push(recordsOf(0, 3, () => ({ users: ['a', 'b', 'c'], payload: 1 })));
    await harness.committed(3);
    expect(writer.written).toHaveLength(0);
    const late = engine.batches.filter(({ source }) => source === null);
    expect(late.flatMap(({ items }) => items.map(({ head }) => /"user_id":"(.)"/.exec(head)?.[1]))).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  it('is given up when the engine works for other partitions meanwhile', async () => {
    const { engine, writer } = await started();
    await harness.assign({ partition: 1, endOffset: 0 });
    engine.refuse = ({ source }) => (source!.partition === 0 ? defect : null);
    harness.push(recordsOf(0, 2));
    let next = 0;
    while (harness.committedNow !== 2) {
      harness.push(recordsOf(next, ++next), 1);
      await harness.committed(next, 1);
    }
    expect(writer.header('dlq-offset')).toEqual(['0', '1']);
  });

  it('is no dead letter when the engine refuses everything: the lane waits, without spinning', async () => {
    const { engine, writer } = await started();
    let broken = true;
    engine.refuse = () => (broken ? defect : null);
    harness.push(recordsOf(0, 100));
    await until(() => engine.batches.length >= 1 + 3 * 16, 'three passes were made');
    expect(writer.written).toHaveLength(0);
    broken = false;
    await harness.committed(100);
    expect(writer.written).toHaveLength(0);
    expect(engine.items).toHaveLength(100);
  });

  // The gap was taken for an engine that cannot be reached, and the record tried for ever.
  it('does not keep what the engine loses meanwhile from being read again', async () => {
    const { engine, source } = await started({ chunkRecords: 10 });
    const log = recordsOf(0, 30);
    let hasLost = false;
    engine.refuse = (batch) => {
      if (!hasLost && batch.items.length === 1 && holds(12)(batch)) {
        hasLost = true;
        engine.applied.set(KEY, 4);
        engine.items.length = 0;
      }
      return holds(14)(batch) ? defect : null;
    };
    harness.push(log);
    await until(() => source.seeks.length === 2, 'the partition is read again');
    expect(source.seeks[1]!.offset).toBe(5);
    harness.push(log.slice(5));
    await harness.committed(30);
    expect(engine.offsets).toEqual(range(5, 30).filter((offset) => offset !== 14));
  });

  it('is tried in order once more when the engine is mended', async () => {
    const { engine, writer } = await started();
    let broken = true;
    harness.push(recordsOf(0, 100));
    // The call that follows a refusal of record 5 is for record 0 again.
    engine.refuse = (batch) => {
      if (broken && batch.items.length === 1 && holds(5)(batch)) broken = false;
      else if (!broken) return null;
      return defect;
    };
    await harness.committed(100);
    expect(engine.offsets).toEqual(range(0, 100));
    expect(writer.written).toHaveLength(0);
  });

  it('does not keep a lane from being revoked', async () => {
    const { engine, router } = await started();
    engine.refuse = () => defect;
    harness.push(recordsOf(0, 10));
    await until(() => engine.batches.length > 12, 'the records were tried one by one');
    await router.revoked([{ topic: 'notifications', partition: 0 }]);
    const calls = engine.batches.length;
    harness.push(recordsOf(10, 20));
    expect(engine.batches).toHaveLength(calls);
  });
});

describe('with the memory engine', () => {
  it('records reach the inbox of the node that holds the user, in order, positions spliced in', async () => {
    const engine = new MemoryEngine({ stats: new EngineStats(), node: 'n1' });
    const frames: string[] = [];
    const ignore = (): void => {};
    const inbox: Inbox = {
      deliver: ({ frame }) => void frames.push(Buffer.from(frame).toString('utf8')),
      broadcast: (frame) => void frames.push(Buffer.from(frame).toString('utf8')),
      command: ignore,
      endBatch: ignore,
      rebuild: async () => undefined,
      holds: () => true,
    };
    await engine.start(inbox);
    await engine.admit({ connection: 'c1', user: 'ann', endpoint: '/ws', sinceMs: 0, streams: [], sessions: null });
    harness = new RouterHarness({ chunkRecords: 7 }, engine);
    await harness.start();
    harness.push(recordsOf(0, 100, (offset) => ({ user_id: offset % 2 === 0 ? 'ann' : 'bob', payload: offset })));
    await harness.committed(100);
    await until(() => frames.length === 50, 'all frames arrived');
    const parsed = frames.map((frame) => JSON.parse(frame) as Record<string, unknown>);
    expect(parsed.map(({ payload }) => payload)).toEqual(range(0, 50).map((i) => i * 2));
    expect(parsed[49]).toMatchObject({
      stream: 'notifications/u/ann',
      offset: 50,
      user_id: 'ann',
      event: 'notifications',
    });
    expect([harness.stats.routed, harness.stats.offline]).toEqual([50, 50]);
    await harness.stop();
    await engine.stop();
  });
});

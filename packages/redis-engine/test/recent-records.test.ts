import { describe, expect, it } from '@jest/globals';
import { RecentRecords } from '../src/recent-records.js';
import { decodeEntry } from '../src/wire.js';

const FIRST = 100_001;
const SECOND = 100_002;
const MINUTE_MS = 60_000;

function record(server: number, sourceOffset: number, { source = 7, recordTimeMs = 1000 + sourceOffset } = {}) {
  return { server, source, sourceOffset, recordTimeMs };
}

describe('the records that came to a node last', () => {
  it('are known as messages of another process only', () => {
    const recent = new RecentRecords();
    recent.add('s', record(FIRST, 5));
    expect(recent.cameBefore('s', record(FIRST, 5))).toBe(false);
    expect(recent.cameBefore('s', record(SECOND, 5))).toBe(true);
    expect(recent.cameBefore('s', record(SECOND, 6))).toBe(false);
    expect(recent.cameBefore('other', record(SECOND, 5))).toBe(false);
    expect(recent.cameBefore('s', record(SECOND, 5, { source: 8 }))).toBe(false);
  });

  it('are known all the same after news of the process that took over', () => {
    const recent = new RecentRecords();
    for (const offset of [5, 9]) recent.add('s', record(FIRST, offset));
    recent.add('s', record(SECOND, 12));
    expect([5, 9, 12].map((offset) => recent.cameBefore('s', record(SECOND, offset)))).toEqual([true, true, false]);
    expect(recent.cameBefore('s', record(FIRST, 12))).toBe(true);
  });

  // By FLUSHALL a process loses its data and stays the same: what it was given again came to sockets twice.
  it('are known as messages of the same process when its data is gone, in the streams that were lost', () => {
    const recent = new RecentRecords();
    for (const stream of ['lost', 'kept']) recent.add(stream, record(FIRST, 5));
    recent.loseStreams((stream) => stream === 'lost');
    expect([4, 5, 6].map((offset) => recent.cameBefore('lost', record(FIRST, offset)))).toEqual([true, true, false]);
    expect(recent.cameBefore('kept', record(FIRST, 5))).toBe(false);
    recent.add('lost', record(FIRST, 6));
    expect([5, 6].map((offset) => recent.cameBefore('lost', record(FIRST, offset)))).toEqual([true, false]);
  });

  it('say nothing about a topic that was made again', () => {
    const recent = new RecentRecords();
    recent.add('s', record(FIRST, 100));
    const again = (offset: number) => record(SECOND, offset, { recordTimeMs: 9000 + offset });
    expect(recent.cameBefore('s', again(3))).toBe(false);
    expect(recent.cameBefore('s', again(100))).toBe(false);
    recent.add('s', again(3));
    expect(recent.cameBefore('s', again(2))).toBe(false);
  });

  // A ring of 8,192 places forgot the first of them after eight seconds of a thousand records a second.
  it('are remembered for a minute, however many there are, and not for ever', () => {
    let nowMs = 0;
    const recent = new RecentRecords(() => nowMs);
    recent.add('first', record(FIRST, 1));
    for (let offset = 2; offset < 20_000; offset++) recent.add(`s${offset % 1000}`, record(FIRST, offset));
    const isKnown = () => recent.cameBefore('first', record(SECOND, 1));
    recent.add('other', record(SECOND, 1));
    nowMs = MINUTE_MS;
    recent.rotate();
    expect(isKnown()).toBe(true);
    nowMs = 2 * MINUTE_MS;
    recent.rotate();
    expect(isKnown()).toBe(true);
    nowMs = 4 * MINUTE_MS;
    recent.rotate();
    expect(isKnown()).toBe(false);
  });
});

describe('a message of the history', () => {
  // Behind the tab stands the time of acceptance. It was taken for a source, and its offset 0 for one that had come.
  it('without a source was never seen before', () => {
    const recent = new RecentRecords();
    recent.add('s', record(FIRST, 0, { source: 1_700_000_000_000, recordTimeMs: 1000 }));
    recent.add('s', record(FIRST, 1, { source: 1_700_000_000_000, recordTimeMs: 2000 }));
    const entry = [Buffer.from('1000\t1700000000000'), Buffer.from('{"epoch":"')] as const;
    const message = decodeEntry(entry, { stream: 's', epoch: `${SECOND}x`, offset: 4 }, recent);
    expect(message).toMatchObject({ recordTimeMs: 1000, seen: false });
    expect(Buffer.from(message.frame).toString()).toBe(`{"epoch":"${SECOND}x","offset":4}`);
  });
});

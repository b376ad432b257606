import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { EVENT_ID_BYTES_MAX, EventPositions, readEventId } from '../../src/sse/event-id.js';

const stream = fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ maxLength: 12 })).map(([t, u]) => `${t}/u/${u}`);
const epoch = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9]{1,32}$/),
  fc.integer({ min: 0, max: 500 }).map((n) => `162300xujw8x${n.toString(36)}`),
);
const offset = fc.oneof(fc.nat(1000), fc.maxSafeNat());
const position = fc.record({ stream, epoch, offset });
const positions = fc.uniqueArray(position, { maxLength: 40, selector: (one) => one.stream });

/** Two streams of one hash, found by trying. */
const TWINS = ['a/u/8db9f220b444', 'a/u/a45d6d742a58'] as const;

describe('the id of an event', () => {
  it('says where the client is in each stream, whatever moved since', () => {
    fc.assert(
      fc.property(positions, fc.array(fc.tuple(fc.nat(), epoch, offset), { maxLength: 20 }), (start, moves) => {
        const tracked = new EventPositions(start);
        const known = new Map(start.map((one) => [one.stream, one]));
        for (const [at, newEpoch, newOffset] of moves) {
          if (start.length === 0) break;
          const { stream: name, epoch: old } = known.get(start[at % start.length]!.stream)!;
          const next = { stream: name, epoch: at % 3 === 0 ? newEpoch : old, offset: newOffset };
          known.set(name, next);
          tracked.advance(next);
          expect(tracked.text()).toMatch(/^[A-Za-z0-9._~-]*$/);
        }
        const id = readEventId(tracked.text())!;
        for (const { stream: name, epoch: at, offset: n } of known.values())
          expect(id.after(name)).toEqual({ epoch: at, offset: n });
        expect(id.after('never/u/heard of')).toBeNull();
        expect(id.wasReplaced).toBe(false);
        expect(readEventId(tracked.text(true))!.wasReplaced).toBe(true);
      }),
    );
  });

  it('is at most 2 kB, keeps the first streams, and says of the others that nothing is proved', () => {
    const many = Array.from({ length: 400 }, (_, at) => ({
      stream: `topic-${at}/u/ann`,
      epoch: `162300xujw${(at * 7919 + 46_000).toString(36)}`,
      offset: at,
    }));
    const tracked = new EventPositions(many);
    expect(tracked.text().length).toBeLessThanOrEqual(EVENT_ID_BYTES_MAX);
    // Offsets grow longer, so fewer have room.
    for (const one of many) tracked.advance({ ...one, offset: one.offset + 10 ** 12 });
    expect(tracked.text().length).toBeLessThanOrEqual(EVENT_ID_BYTES_MAX);
    const id = readEventId(tracked.text())!;
    const kept = many.filter((one) => id.after(one.stream)!.epoch !== '0');
    expect(kept.length).toBeGreaterThan(90);
    expect(kept).toEqual(many.slice(0, kept.length));
    expect(id.after(many.at(-1)!.stream)).toEqual({ epoch: '0', offset: 0 });
  });

  it('has room for both streams of 64 topics, whose epochs a few processes began', () => {
    const streams = Array.from({ length: 64 }, (_, at) => [`topic-${at}/u/ann`, `topic-${at}/*`]).flat();
    const tracked = new EventPositions(
      streams.map((name, at) => ({
        stream: name,
        epoch: `162300${['xujw8x', 'ab12cd', 'q8q8q8'][at % 3]}${(at * 31).toString(36)}`,
        offset: at * 10,
      })),
    );
    const id = readEventId(tracked.text())!;
    expect(streams.filter((name) => id.after(name)!.epoch === '0')).toEqual([]);
  });

  it('holds one of two streams that look the same in it, and says that it does not hold all', () => {
    const [one, other] = TWINS;
    const id = readEventId(
      new EventPositions([
        { stream: one, epoch: 'abc', offset: 1 },
        { stream: other, epoch: 'abc', offset: 2 },
      ]).text(),
    )!;
    expect(id.after(one)).toEqual({ epoch: 'abc', offset: 1 });
    expect(id.after('third/u/ann')).toEqual({ epoch: '0', offset: 0 });
  });

  it.each([
    '',
    'x',
    '4',
    '0.',
    '0.0abc',
    '0~AAAAA1',
    '0.0abc~AAAA1',
    '0.1abc~AAAAA1',
    '0.0abc~AAAAAzzzzzzzzzzz',
    '0.0abc~AAAAA1~AAAAA2',
    '0.0abc~AAAAA1.4x~BBBBB1',
    '0.0abc~AAAAA1\n',
    '0.0abc~AAAAA1,',
    `0.0${'a'.repeat(33)}~AAAAA1`,
    `0${'.0abc~AAAAA1'.repeat(300)}`,
  ])('is not %j', (text) => expect(readEventId(text)).toBeNull());

  it('of something else never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void readEventId(text)));
    fc.assert(fc.property(fc.stringMatching(/^[0-4][.~a-zA-Z0-9_-]*$/), (text) => void readEventId(text)));
  });
});

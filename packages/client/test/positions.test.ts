import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Positions } from '../src/positions.js';

const STREAM = 'a/u/ann';
const row = (offset: number, more: object = {}) => ({ stream: STREAM, epoch: 'e1', offset, ...more });
const at = (offset: number, epoch = 'e1') => ({ epoch, offset });

describe('positions', () => {
  it('pass each offset once and remember the last', () => {
    const positions = new Positions();
    positions.join(row(5), 'own');
    expect([6, 7, 7, 6, 8].map((offset) => positions.accept(STREAM, at(offset)))).toEqual([
      'new',
      'new',
      'duplicate',
      'duplicate',
      'new',
    ]);
    expect(positions.get(STREAM)).toEqual(at(8));
  });

  it('do not move ahead of a replay that is still to come', () => {
    const positions = new Positions({ [STREAM]: at(5) });
    expect(positions.join(row(9, { recovered: true, replayed: 4 }), 'own')).toBe('recovered');
    positions.accept(STREAM, at(6));
    expect(positions.get(STREAM)).toEqual(at(6));
  });

  it('let the newest value of a fresh stream through, though its offset is the one that was told', () => {
    const positions = new Positions();
    positions.join(row(5), 'own');
    expect(positions.accept(STREAM, at(5))).toBe('new');
    expect(positions.accept(STREAM, at(5))).toBe('duplicate');
  });

  describe('of a fresh stream whose connection broke before anything came', () => {
    it('are not asked for, so that the newest value comes all the same', () => {
      const positions = new Positions();
      positions.join(row(5), 'own');
      expect(positions.get(STREAM)).toBeNull();
      expect(positions.save()).toEqual({});
      expect(positions.join(row(5), 'own')).toBe('joined');
      expect(positions.accept(STREAM, at(5))).toBe('new');
    });

    it('are asked for when the stream moved meanwhile: what came between would be missed', () => {
      const positions = new Positions();
      positions.join(row(5), 'own');
      expect(positions.join(row(7), 'own')).toBe('behind');
      expect(positions.get(STREAM)).toEqual(at(5));
      expect(positions.join(row(7, { recovered: true, replayed: 2 }), 'own')).toBe('recovered');
      expect(positions.accept(STREAM, at(6))).toBe('new');
    });

    it('are asked for once the connection had stood for a while', () => {
      const positions = new Positions();
      positions.join(row(5), 'own');
      positions.settle();
      expect(positions.get(STREAM)).toEqual(at(5));
    });

    it('are asked for at once where nothing comes unasked: public streams, rooms, empty streams', () => {
      for (const [kind, offset] of [
        ['public', 5],
        ['room', 5],
        ['own', 0],
      ] as const) {
        const positions = new Positions();
        positions.join(row(offset), kind);
        expect(positions.get(STREAM)).toEqual(at(offset));
      }
    });
  });

  it('stay as they are when a topic is subscribed a second time', () => {
    const positions = new Positions();
    positions.join(row(5), 'own');
    positions.accept(STREAM, at(6));
    expect(positions.join(row(8), 'own')).toBe('joined');
    expect([7, 8].map((offset) => positions.accept(STREAM, at(offset)))).toEqual(['new', 'new']);
  });

  it.each([
    ['history was trimmed', at(3), row(15, { recovered: false, replayed: 10 }), at(5)],
    ['the epoch changed', at(30, 'e0'), row(15, { recovered: false, replayed: 10 }), at(5)],
    ['the stream came back shorter', at(20), row(15, { recovered: false, replayed: 10 }), at(15)],
    ['nothing is left', at(3), row(15, { recovered: false, replayed: 0 }), at(15)],
  ])('begin at what is sent when %s', (_why, before, told, after) => {
    const positions = new Positions({ [STREAM]: before });
    expect(positions.join(told, 'own')).toBe('lost');
    expect(positions.get(STREAM)).toEqual(after);
  });

  it('take a new epoch on an open connection for lost history', () => {
    const positions = new Positions({ [STREAM]: at(5) });
    expect(positions.accept(STREAM, at(1, 'e2'))).toBe('new_epoch');
    expect(positions.accept(STREAM, at(2, 'e2'))).toBe('new');
  });

  it('take the first message of a stream without any for new, whatever its epoch', () => {
    const positions = new Positions({ [STREAM]: at(0, 'e1') });
    expect(positions.accept(STREAM, at(1, 'e2'))).toBe('new');
    expect(positions.get(STREAM)).toEqual(at(1, 'e2'));
    expect(new Positions({ [STREAM]: at(0, 'e1') }).accept(STREAM, at(2, 'e2'))).toBe('new_epoch');
  });

  it('of a stream without history are none', () => {
    const positions = new Positions();
    expect(positions.join({}, 'own')).toBe('joined');
    expect(positions.save()).toEqual({});
  });

  it('belong to their topic and to no other that begins alike', () => {
    const positions = new Positions({ 'a/u/ann': at(1), 'ab/u/ann': at(2), 'a/*': at(3), 'room/a': at(4) });
    positions.forgetTopic('a');
    expect(Object.keys(positions.save())).toEqual(['ab/u/ann', 'room/a']);
  });

  /** A gateway in small: a stream, its history, a client that is cut off at any moment and comes back. */
  it('neither lose nor double a message, whatever is cut when', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('publish' as const) }),
      fc.record({ kind: fc.constant('cut' as const), delivered: fc.nat(6) }),
      fc.record({ kind: fc.constant('trim' as const), keep: fc.nat(5) }),
      fc.record({ kind: fc.constant('settle' as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(4), fc.boolean(), (steps, begun, latest) => {
        const model = new Model(begun, latest);
        for (const { kind, ...how } of steps) model[kind](how as { delivered: number; keep: number });
        model.cut({ delivered: Infinity });
        model.check();
      }),
      { numRuns: 3000 },
    );
  });
});

/** Offsets are the messages. What is under way to the client is lost by a cut but for the first few. */
class Model {
  readonly #positions = new Positions();
  readonly #latest: boolean;
  readonly #first: number;
  #top: number;
  #kept: number;
  #underWay: number[] = [];
  #got: number[] = [];
  /** Up to here the client knows that something may be missing. */
  #excused = 0;

  constructor(begun: number, latest: boolean) {
    this.#top = begun;
    this.#first = begun;
    this.#kept = begun;
    this.#latest = latest;
    this.#connect();
  }

  publish(): void {
    this.#top++;
    this.#kept++;
    this.#underWay.push(this.#top);
  }

  trim({ keep }: { keep: number }): void {
    if (!this.#latest) this.#kept = Math.min(this.#kept, keep);
  }

  settle(): void {
    this.#deliver(Infinity);
    this.#positions.settle();
  }

  cut({ delivered }: { delivered: number }): void {
    this.#deliver(delivered);
    this.#underWay = [];
    this.#connect();
    if (delivered === Infinity) this.#deliver(Infinity);
  }

  check(): void {
    const { length } = this.#got;
    expect(this.#got).toEqual([...new Set(this.#got)].sort((a, b) => a - b));
    if (this.#latest) {
      if (this.#top > 0) expect(this.#got.at(-1)).toBe(this.#top);
      return;
    }
    const from = Math.max(this.#first, this.#excused);
    const wanted = Array.from({ length: this.#top - from }, (_, index) => from + 1 + index);
    expect(this.#got.slice(length - wanted.length)).toEqual(wanted);
    expect(this.#got.every((offset) => offset > this.#first)).toBe(true);
  }

  #connect(): void {
    while (!this.#handshake());
  }

  /** False: behind. */
  #handshake(): boolean {
    const position = this.#positions.get(STREAM);
    const after = position?.offset ?? (this.#latest ? 0 : this.#top);
    const history = Array.from({ length: this.#kept }, (_, index) => this.#top - this.#kept + 1 + index);
    const replay = history.filter((offset) => offset > after).slice(this.#latest ? -1 : 0);
    const complete = this.#latest || replay.length === this.#top - after;
    const told = position === null ? {} : { recovered: complete, replayed: replay.length };
    const joined = this.#positions.join(row(this.#top, told), 'own');
    if (joined === 'behind') return false;
    if (joined === 'lost') this.#excused = this.#top - replay.length;
    this.#underWay = replay;
    return true;
  }

  #deliver(count: number): void {
    for (const offset of this.#underWay.splice(0, count)) {
      if (this.#positions.accept(STREAM, at(offset)) !== 'duplicate') this.#got.push(offset);
    }
  }
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OffsetTracker } from '../../src/router/offset-tracker.js';

describe('OffsetTracker', () => {
  it('has no position before anything is settled', () => {
    const tracker = new OffsetTracker();
    tracker.track(5);
    expect(tracker.position).toBeNull();
    expect(tracker.pending).toBe(1);
  });

  it('stays behind an unsettled run, whatever is settled after it', () => {
    const tracker = new OffsetTracker();
    for (const offset of [5, 9, 20]) tracker.track(offset);
    tracker.settle(20);
    tracker.settle(9);
    expect(tracker.position).toBeNull();
    tracker.settle(5);
    expect(tracker.position).toBe(21);
    expect(tracker.pending).toBe(0);
  });

  it('counts in what was tracked, not in offsets, which have gaps', () => {
    const tracker = new OffsetTracker();
    tracker.track(5);
    tracker.track(1000);
    tracker.settle(5);
    expect(tracker.position).toBe(6);
    tracker.settle(1000);
    expect(tracker.position).toBe(1001);
  });

  it('refuses offsets that go back', () => {
    const tracker = new OffsetTracker();
    tracker.track(5);
    tracker.settle(5);
    expect(() => tracker.track(5)).toThrow(RangeError);
  });

  it('takes no notice of what it does not know, or knew before', () => {
    const tracker = new OffsetTracker();
    tracker.track(5);
    tracker.settle(4);
    tracker.settle(5);
    tracker.settle(5);
    expect(tracker.position).toBe(6);
  });

  it('equals the longest settled prefix for any order of settling', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 200 });
    const cases = gaps.chain((steps) => fc.tuple(fc.constant(steps), fc.shuffledSubarray(steps.map((_, i) => i))));
    fc.assert(
      fc.property(cases, ([steps, order]) => {
        let offset = -1;
        const offsets = steps.map((step) => (offset += step));
        const tracker = new OffsetTracker();
        for (const one of offsets) tracker.track(one);
        const settled = new Set<number>();
        for (const i of order) {
          tracker.settle(offsets[i]!);
          settled.add(i);
          const prefix = offsets.findIndex((_, at) => !settled.has(at));
          const last = prefix < 0 ? offsets.length : prefix;
          expect(tracker.position).toBe(last === 0 ? null : offsets[last - 1]! + 1);
          expect(tracker.pending).toBe(offsets.length - last);
        }
      }),
    );
  });
});

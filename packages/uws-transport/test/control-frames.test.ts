import { describe, expect, it } from '@jest/globals';
import { ControlFrames } from '../src/control-frames.js';

describe('the control frames of a peer', () => {
  it('may be many for years, as long as they are few in each second', () => {
    const control = new ControlFrames();
    const ends = Array.from({ length: 10_000 }, (_, at) => control.take(0, at * 11));
    expect(new Set(ends)).toEqual(new Set([null]));
  });

  it('end the socket when they are more than a hundred in a second', () => {
    const control = new ControlFrames();
    const ends = Array.from({ length: 101 }, (_, at) => control.take(0, 5000 + at));
    expect(ends.slice(0, 100).every((end) => end === null)).toBe(true);
    expect(ends.at(-1)).toEqual({ code: 4503, reason: 'rate_limited' });
  });

  // The answers waited in the memory of the node for as long as the peer went on.
  it('end the socket when the answers to 250 in a row are not read, however slowly they come', () => {
    const control = new ControlFrames();
    const ends = Array.from({ length: 251 }, (_, at) => control.take(at + 1, at * 20_000));
    expect(ends.slice(0, 250).every((end) => end === null)).toBe(true);
    expect(ends.at(-1)).toEqual({ code: 4001, reason: 'slow_consumer' });
    const reader = new ControlFrames();
    const read = Array.from({ length: 2_000 }, (_, at) => reader.take(at % 200, at * 20_000));
    expect(new Set(read)).toEqual(new Set([null]));
  });
});

import { describe, expect, test } from '@jest/globals';
import { FrameReader, pongFrame } from '../src/frame-reader.js';

function reading(): { reader: FrameReader; seen: string[] } {
  const seen: string[] = [];
  const reader = new FrameReader({
    text: (bytes, start, end) => seen.push(bytes.toString('utf8', start, end)),
    ping: (payload) => seen.push(`ping ${payload.toString()}`),
    close: (code, reason) => seen.push(`close ${code} ${reason}`),
    invalid: (what) => seen.push(`invalid: ${what}`),
  });
  return { reader, seen };
}

/** Makes a server's frame as RFC 6455 writes it. */
function frame(first: number, payload: Buffer | string): Buffer {
  const body = Buffer.from(payload);
  const { length } = body;
  const head =
    length < 126 ? [length] : length < 65_536 ? [126, length >> 8, length & 255] : [127, ...bytesOf64(length)];
  return Buffer.concat([Buffer.from([first, ...head]), body]);
}

function bytesOf64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

const long = 'x'.repeat(300);

describe('a stream of frames', () => {
  test('gives the same frames wherever it is cut', () => {
    const stream = Buffer.concat([frame(0x81, 'one'), frame(0x81, long), frame(0x89, 'p'), frame(0x81, '')]);
    for (let cut = 0; cut <= stream.length; cut++) {
      const { reader, seen } = reading();
      reader.read(stream.subarray(0, cut));
      reader.read(stream.subarray(cut));
      expect(seen).toEqual(['one', long, 'ping p', '']);
    }
  });

  test('gives the same frames byte by byte out of one buffer that is written over each time', () => {
    const { reader, seen } = reading();
    const shared = Buffer.alloc(1);
    for (const byte of Buffer.concat([frame(0x81, long), frame(0x81, 'two')])) {
      shared[0] = byte;
      reader.read(shared);
    }
    expect(seen).toEqual([long, 'two']);
  });

  test('may hold a frame of more than 64 KiB', () => {
    const { reader, seen } = reading();
    reader.read(frame(0x81, 'y'.repeat(70_000)));
    expect(seen).toEqual(['y'.repeat(70_000)]);
  });

  test('ends at a close, with or without a code', () => {
    const { reader, seen } = reading();
    reader.read(Buffer.concat([frame(0x88, Buffer.from([0x0f, 0xa0, 0x62, 0x79])), frame(0x81, 'late')]));
    expect(seen).toEqual(['close 4000 by']);
    const bare = reading();
    bare.reader.read(frame(0x88, ''));
    expect(bare.seen).toEqual(['close 1005 ']);
  });

  test.each([
    ['a fragment', frame(0x01, 'part')],
    ['a binary frame', frame(0x82, 'bytes')],
    ['a masked frame', Buffer.from([0x81, 0x83, 1, 2, 3, 4, 5, 6, 7])],
  ])('ends at %s, which no server of ours sends', (_, bytes) => {
    const { reader, seen } = reading();
    reader.read(Buffer.concat([bytes, frame(0x81, 'late')]));
    expect(seen).toEqual([expect.stringMatching(/^invalid: /)]);
  });
});

test('a pong is masked and carries the payload of the ping', () => {
  expect(pongFrame(Buffer.from('hi'))).toEqual(Buffer.from([0x8a, 0x82, 0, 0, 0, 0, 0x68, 0x69]));
});

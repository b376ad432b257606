import { describe, expect, it } from '@jest/globals';
import { splitItems, type Item } from '../src/publish-call.js';

const channel = (sourceOffset: number): Item => ({
  ...{ kind: 'channel', stream: 'room/r1', retention: null, head: 'x' },
  ...{ sourceOffset, recordTimeMs: 1 },
});
const toUser = (sourceOffset: number): Item => ({
  ...{ kind: 'user', topic: 't', user: 'u1', retention: null, head: 'x' },
  ...{ sourceOffset, recordTimeMs: 1 },
});

function sizes(make: (offset: number) => Item, nodeCount: number): number[] {
  const items = Array.from({ length: 128 }, (_, offset) => make(offset));
  return splitItems(items, 127, () => 0, nodeCount).map((chunk) => chunk.items.length);
}

describe('a call to Redis', () => {
  // 128 topic-wide messages for 100 nodes held it for 8 ms, and everybody else waited.
  it('carries fewer of the items that each node may get, the more nodes there are', () => {
    expect(sizes(channel, 4)).toEqual([128]);
    expect(sizes(channel, 100)).toEqual([30, 30, 30, 30, 8]);
    expect(sizes(channel, 10_000)).toEqual(Array.from({ length: 128 }, () => 1));
  });

  it('carries as many of the items that are for one user, however many nodes there are', () => {
    expect(sizes(toUser, 10_000)).toEqual([128]);
  });

  it('covers the same records whatever its size', () => {
    const items = Array.from({ length: 128 }, (_, at) => channel(at >> 1));
    const chunks = splitItems(items, 63, () => 0, 1000);
    expect(chunks.at(-1)).toMatchObject({ lastOffset: 63, partial: 0 });
    expect(chunks[0]).toMatchObject({ lastOffset: 1, partial: 1 });
    expect(chunks[1]).toMatchObject({ ordinal: 1 });
    expect(chunks.flatMap((chunk) => chunk.places)).toEqual(items.map((_, place) => place));
  });
});

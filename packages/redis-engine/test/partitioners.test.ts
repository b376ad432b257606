import { crc32 } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { Keys } from '../src/keys.js';
import { murmur2 } from '../src/partitioners.js';

const hashOf = (text: string) => murmur2(Buffer.from(text));

describe('murmur2', () => {
  it("gives the values of Kafka's own test", () => {
    const expected = {
      21: -973932308,
      foobar: -790332482,
      'a-little-bit-long-string': -985981536,
      'a-little-bit-longer-string': -1486304829,
      lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
      abc: 479470107,
    };
    const found = Object.fromEntries(Object.keys(expected).map((text) => [text, hashOf(text)]));
    expect(found).toEqual(expected);
  });
});

describe('the partition of a user', () => {
  it('is chosen as librdkafka chooses by default, and as Java does where that is asked for', () => {
    for (const user of ['foobar', '21', 'ä€😀']) {
      expect(new Keys('wsg', { partitions: 16 }).partitionOf(user)).toBe(crc32(user) % 16);
      const keys = new Keys('wsg', { partitions: 16, partitioner: 'murmur2' });
      expect(keys.partitionOf(user)).toBe((hashOf(user) & 0x7fffffff) % 16);
    }
  });

  it('is the same for all users of one Kafka partition, where our number divides that of Kafka', () => {
    const keys = new Keys('wsg', { partitions: 16, partitioner: 'murmur2' });
    const users = Array.from({ length: 5000 }, (_, i) => `user-${i}`);
    const ofOne = users.filter((user) => (hashOf(user) & 0x7fffffff) % 64 === 37);
    expect(ofOne.length).toBeGreaterThan(40);
    expect(new Set(ofOne.map((user) => keys.partitionOf(user)))).toEqual(new Set([37 % 16]));
  });
});

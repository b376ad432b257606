import { crc32 } from 'node:zlib';

/**
 * Hashes that choose a partition, by name. Kafka clients choose theirs by one of these: murmur2 is that of Java, kafkajs
 * and franz-go, crc32 that of librdkafka. Where ours is the producers' own, and our number of partitions divides that of
 * the Kafka topic, records of one Kafka partition are in one partition here: one call for each chunk of records. With
 * another one a chunk is cut into as many small calls as there are partitions. Nothing but that cost depends on it.
 */
export const partitioners = {
  crc32: (text: string): number => crc32(text),
  /** Without the sign, as Kafka takes it. */
  murmur2: (text: string): number => murmur2(Buffer.from(text)) & 0x7fffffff,
} as const;

export type Partitioner = keyof typeof partitioners;

const SEED = 0x9747b28c;
const MULTIPLIER = 0x5bd1e995;
const SHIFT = 24;

/** The hash of Kafka's default partitioner, with its seed; 32 bits, signed. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes;
  const whole = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < whole; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, MULTIPLIER);
    word ^= word >>> SHIFT;
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(word, MULTIPLIER);
  }
  for (let at = length - 1; at >= whole; at--) hash ^= bytes[at]! << (8 * (at - whole));
  if (whole < length) hash = Math.imul(hash, MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

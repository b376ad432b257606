import { createRequire } from 'node:module';

const kafkajs = createRequire(createRequire(import.meta.url).resolve('kafkajs'));

/** Writes its checksum into a record batch (format 2) that a test has made, and returns it. */
export function sealed(batch: Buffer): Buffer {
  const crc32C = kafkajs('./src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
  batch.writeUInt32BE(crc32C(batch.subarray(21)), 17);
  return batch;
}

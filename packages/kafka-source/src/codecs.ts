// oxlint-disable-next-line typescript/triple-slash-reference -- packages that compile our sources find the types so only
/// <reference path="./snappyjs.d.ts" />
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';
import snappyjs from 'snappyjs';

/** kafkajs' codec plug-in. It brings gzip itself; a batch in a codec it lacks ends the consumer (docs/kafkajs.md, rule 7). */
export interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(data: Buffer): Promise<Buffer>;
}

/** kafkajs keeps codecs in a table of the module, so this is global and may be repeated. */
export function registerCodecs(): void {
  const { CompressionCodecs, CompressionTypes } = kafkajs;
  CompressionCodecs[CompressionTypes.Snappy] = () => snappyCodec;
  CompressionCodecs[CompressionTypes.LZ4] = () => lz4Codec;
  CompressionCodecs[CompressionTypes.ZSTD] = () => zstdCodec;
}

const compressZstd = promisify<Uint8Array, Buffer>(zstdCompress);
const decompressZstd = promisify(zstdDecompress);

const zstdCodec: Codec = {
  compress: async ({ buffer }) => compressZstd(buffer),
  decompress: async (data) => decompressZstd(data),
};

/** Kafka's LZ4 (record format 2) is the standard frame format. */
const lz4Codec: Codec = {
  compress: async ({ buffer }) => compressFrame(buffer),
  decompress: async (data) => decompressFrame(data),
};

/** Java clients frame Snappy in xerial's way (a header, then blocks with a length); librdkafka may send a bare block. */
const snappyCodec: Codec = {
  compress: async ({ buffer }) => toXerial(buffer),
  decompress: async (data) => (isXerial(data) ? fromXerial(data) : snappyjs.uncompress(data)),
};

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Magic, version, lowest compatible version. */
const XERIAL_HEADER_BYTES = 16;
const XERIAL_BLOCK_BYTES = 32 * 1024;

function isXerial(data: Buffer): boolean {
  return data.length >= XERIAL_HEADER_BYTES && data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC);
}

function fromXerial(data: Buffer): Buffer {
  const blocks: Buffer[] = [];
  let at = XERIAL_HEADER_BYTES;
  while (at < data.length) {
    const length = data.readInt32BE(at);
    at += 4;
    blocks.push(snappyjs.uncompress(data.subarray(at, at + length)));
    at += length;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks);
}

function toXerial(data: Buffer): Buffer {
  const header = Buffer.alloc(XERIAL_HEADER_BYTES);
  XERIAL_MAGIC.copy(header);
  header.writeInt32BE(1, 8);
  header.writeInt32BE(1, 12);
  const parts: Uint8Array[] = [header];
  for (let at = 0; at < data.length; at += XERIAL_BLOCK_BYTES) {
    const block = snappyjs.compress(data.subarray(at, at + XERIAL_BLOCK_BYTES));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

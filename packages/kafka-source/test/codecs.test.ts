import { describe, expect, test } from '@jest/globals';
import kafkajs from 'kafkajs';
import { registerCodecs, type Codec } from '../src/codecs.js';

/** Bytes as other clients write them; that our own two directions fit each other is shown with a broker. */

registerCodecs();
const { CompressionCodecs, CompressionTypes } = kafkajs;
const snappy: Codec = CompressionCodecs[CompressionTypes.Snappy]();
const lz4: Codec = CompressionCodecs[CompressionTypes.LZ4]();
const zstd: Codec = CompressionCodecs[CompressionTypes.ZSTD]();

describe('codecs read what other clients write', () => {
  test('snappy as a bare block (librdkafka)', async () => {
    // Length 11, a literal of 11 bytes.
    const block = Buffer.concat([Buffer.from([11, (11 - 1) << 2]), Buffer.from('hello kafka')]);
    expect(String(await snappy.decompress(block))).toBe('hello kafka');
  });

  test('snappy in several xerial blocks (Java)', async () => {
    const block = (text: string) => {
      const body = Buffer.concat([Buffer.from([text.length, (text.length - 1) << 2]), Buffer.from(text)]);
      return Buffer.concat([Buffer.from([0, 0, 0, body.length]), body]);
    };
    const header = Buffer.from('82534e4150505900' + '00000001' + '00000001', 'hex');
    expect(String(await snappy.decompress(Buffer.concat([header, block('hello '), block('kafka')])))).toBe(
      'hello kafka',
    );
  });

  test('a lz4 frame with an uncompressed block (librdkafka)', async () => {
    // Magic, version 1 with independent blocks, 64 KiB blocks, header checksum, block of 11 stored bytes, end mark.
    const frame = Buffer.concat([
      Buffer.from('04224d18' + '6040' + '82' + '0b000080', 'hex'),
      Buffer.from('hello kafka'),
      Buffer.alloc(4),
    ]);
    expect(String(await lz4.decompress(frame))).toBe('hello kafka');
  });

  test('a zstd frame without its content size (librdkafka streams)', async () => {
    // Magic, no single segment, window 1 KiB, one last raw block of 11 bytes.
    const frame = Buffer.concat([Buffer.from('28b52ffd' + '00' + '00' + '590000', 'hex'), Buffer.from('hello kafka')]);
    expect(String(await zstd.decompress(frame))).toBe('hello kafka');
  });

  test.each([
    ['snappy', snappy],
    ['lz4', lz4],
    ['zstd', zstd],
  ])('%s rejects bytes that are none of its own', async (_, codec) => {
    await expect(codec.decompress(Buffer.from('ffffffffffffffffffff', 'hex'))).rejects.toThrow();
  });
});

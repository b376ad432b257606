import { expect } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import type { ConformanceTests } from './fixture.js';

/** Codes that an error of a writer may have. */
const CODES: readonly unknown[] = [
  'unavailable',
  'authentication_failed',
  'not_authorized',
  'record_too_large',
  'unknown_topic',
  'queue_full',
  'stopped',
  'internal',
];

export const writing: ConformanceTests = {
  async 'gives the topic keys, values, null values and headers'(fixture) {
    const topic = await fixture.topic();
    await fixture.writer().write(topic, [
      { key: 'k', value: 'v', headers: { text: 't', bytes: new Uint8Array([104, 105]) } },
      { key: Buffer.from('k2'), value: null },
      { key: null, value: Buffer.from('no key') },
    ]);
    expect(await fixture.harness.readTopic(topic)).toMatchObject([
      { key: 'k', value: 'v', headers: { text: 't', bytes: 'hi' } },
      { key: 'k2', value: null, headers: {} },
      { key: null, value: 'no key', headers: {} },
    ]);
  },

  async 'changes no byte on the way to a source'(fixture) {
    const topic = await fixture.topic();
    const { sink } = await fixture.start({ topics: [topic] });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    // A view into a larger buffer: its neighbours are not part of it.
    const header = new Uint8Array(bytes.buffer, bytes.byteOffset + 128, 64);
    await fixture.writer().write(topic, [{ key: bytes, value: bytes, headers: { header } }]);
    await waitFor(() => sink.received.length === 1);
    const [record] = sink.received;
    expect([record!.key, record!.value]).toEqual([bytes, bytes]);
    expect(record!.headers['header']).toEqual(bytes.subarray(128, 192));
  },

  // A dead letter has whatever headers its record had. A driver that keeps them in a plain object finds a member of
  // Object.prototype where it looks for one of its own.
  async 'keeps headers named like object members, without a value, and several of one name'(fixture) {
    const topic = await fixture.topic();
    const { sink } = await fixture.start({ topics: [topic] });
    const headers = { constructor: 'c', ['__proto__']: 'p', nothing: undefined, none: null, many: ['1', '2'] };
    await fixture.writer().write(topic, [{ key: null, value: 'v', headers }]);
    await waitFor(() => sink.received.length === 1);
    const found = Object.entries(sink.received[0]!.headers).map(([header, value]): [string, unknown] => [
      header,
      Array.isArray(value) ? value.map(String) : value === null ? null : String(value),
    ]);
    const expected: [string, unknown][] = [
      ['constructor', 'c'],
      ['__proto__', 'p'],
      ['nothing', null],
      ['none', null],
      ['many', ['1', '2']],
    ];
    expect(new Map(found)).toEqual(new Map(expected));
  },

  // Dead letters come in bulk, one call each: a round trip for every one would block the partition they come from.
  async 'keeps the order of 5,000 single writes'(fixture) {
    const topic = await fixture.topic();
    const writer = fixture.writer();
    const values = Array.from({ length: 5_000 }, (_, i) => String(i));
    await Promise.all(values.map((value) => writer.write(topic, [{ key: null, value }])));
    expect((await fixture.harness.readTopic(topic)).map(({ value }) => value)).toEqual(values);
  },

  async 'keeps the order of each key, and puts a key into one partition'(fixture) {
    const topic = await fixture.topic(3);
    const writer = fixture.writer();
    const written = Array.from({ length: 700 }, (_, i) => ({ key: `k${i % 7}`, value: String(i) }));
    await Promise.all(written.map((record) => writer.write(topic, [record])));
    const found = await fixture.harness.readTopic(topic);
    for (const { key } of written.slice(0, 7)) {
      const ofKey = found.filter((record) => record.key === key);
      const expected = written.filter((record) => record.key === key);
      expect(ofKey.map(({ value }) => value)).toEqual(expected.map(({ value }) => value));
      expect(new Set(ofKey.map(({ partition }) => partition)).size).toBe(1);
    }
  },

  async 'fails the write of a record that the broker refuses for its size, and no other'(fixture) {
    const topic = await fixture.topic();
    const writer = fixture.writer();
    const [large, small] = await Promise.allSettled([
      writer.write(topic, [{ key: null, value: Buffer.alloc(2 * 1024 * 1024) }]),
      writer.write(topic, [{ key: null, value: 'small' }]),
    ]);
    expect(large).toMatchObject({ status: 'rejected', reason: { code: 'record_too_large', retryable: false } });
    expect(small).toMatchObject({ status: 'fulfilled' });
  },

  async 'to a topic that cannot be is refused for good, with a code of the closed list and a reason'(fixture) {
    const refusal: unknown = await fixture
      .writer()
      .write('no topic has spaces', [{ key: null, value: 'v' }])
      .catch((error: unknown) => error);
    const reason: unknown = expect.stringMatching(/./);
    expect(refusal).toMatchObject({ retryable: false, reason });
    expect(CODES).toContain((refusal as { code?: unknown }).code);
  },

  async 'that has begun is waited for by a stop, and refused after it'(fixture) {
    const topic = await fixture.topic();
    const writer = fixture.writer();
    const written = writer.write(topic, [{ key: null, value: 'v' }]);
    await writer.stop();
    await written;
    const late = writer.write(topic, [{ key: null, value: 'late' }]);
    await expect(late).rejects.toMatchObject({ code: 'stopped', retryable: false });
    expect(await fixture.harness.readTopic(topic)).toHaveLength(1);
  },
};

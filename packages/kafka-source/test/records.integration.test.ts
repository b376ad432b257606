import { afterEach, describe, expect, test } from '@jest/globals';
import kafkajs from 'kafkajs';
import { createTopics, produce, transactionalProducer, uniqueName, waitFor } from '@ws-gateway/testkit';
import { registerCodecs } from '../src/codecs.js';
import { Nodes } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

async function freshTopic(partitions = 1): Promise<string> {
  const topic = uniqueName('records');
  await createTopics([topic], partitions);
  return topic;
}

describe('a transactional producer', () => {
  // kafkajs goes over markers and aborted records without a word: the lag never came to 0, the commit stood still.
  test('leaves no lag: its markers and what it aborted count as read, at the end of the log, too', async () => {
    const topic = await freshTopic(1);
    const { source, sink } = await nodes.start({ topics: [topic] });
    const producer = transactionalProducer(topic);
    await producer.connect();
    for (const end of ['commit', 'abort', 'abort'] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value: end }, { value: end }] });
      await transaction[end]();
    }
    await producer.disconnect();
    await waitFor(() => sink.upTo.get(`${topic}/0`)?.nextOffset === 9);
    expect(sink.upTo.get(`${topic}/0`)).toEqual({ nextOffset: 9, endOffset: 9 });
    expect(sink.values).toEqual(['commit', 'commit']);

    const again: string[] = [];
    const take = (_: number, records: readonly { value: Buffer | null }[]) =>
      void again.push(...records.map(({ value }) => String(value)));
    expect(await source.readAgain(topic, take)).toEqual([{ topic, partition: 0, offset: 9 }]);
    expect(again).toEqual(['commit', 'commit']);
    expect(await source.recordFrom(topic, 0, 1)).toMatchObject({ offset: 1 });
    expect(await source.recordFrom(topic, 0, 2)).toBeNull();
    expect(sink.violations).toEqual([]);
  });
});

describe('compressed batches', () => {
  const { GZIP, Snappy, LZ4, ZSTD } = kafkajs.CompressionTypes;
  test.each([
    ['gzip', GZIP],
    ['snappy', Snappy],
    ['lz4', LZ4],
    ['zstd', ZSTD],
  ])('%s', async (_, compression) => {
    registerCodecs();
    const topic = await freshTopic();
    const { sink } = await nodes.start({ topics: [topic] });
    const values = Array.from({ length: 2_000 }, (_unused, i) => `value ${i} ${'x'.repeat(i % 100)}`);
    await produce(
      topic,
      values.map((value) => ({ value })),
      { compression },
    );
    await waitFor(() => sink.received.length === values.length);
    expect(sink.values).toEqual(values);
  });
});

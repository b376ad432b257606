import { expect } from '@jest/globals';
import { uniqueName, waitFor } from '@ws-gateway/testkit';
import type { ConformanceTests } from './fixture.js';

export const records: ConformanceTests = {
  async 'arrive with key, value, timestamp and headers, in order of offset'(fixture) {
    const topic = await fixture.topic();
    const { sink } = await fixture.start({ topics: [topic] });
    await fixture.harness.produce(topic, [
      { key: 'k1', value: 'v1', timestamp: 1_700_000_000_123, headers: { a: 'x', many: ['1', '2'] } },
      { key: null, value: 'v2' },
    ]);
    await waitFor(() => sink.received.length === 2);

    const [first, second] = sink.received;
    expect(first).toMatchObject({ offset: 0, timestamp: 1_700_000_000_123 });
    expect([String(first!.key), String(first!.value), String(first!.headers['a'])]).toEqual(['k1', 'v1', 'x']);
    expect((first!.headers['many'] as Buffer[]).map(String)).toEqual(['1', '2']);
    expect(second).toMatchObject({ offset: 1, key: null, headers: {} });
  },

  async 'of one batch keep times that lie far apart, before and behind the first'(fixture) {
    const topic = await fixture.topic();
    const { sink } = await fixture.start({ topics: [topic] });
    const now = Date.now();
    const times = [now, now + 1, 1, now - 2 ** 31, now - 2 ** 20];
    await fixture.harness.produce(
      topic,
      times.map((timestamp) => ({ key: null, value: 'v', timestamp })),
    );
    await waitFor(() => sink.received.length === times.length);
    expect(sink.received.map(({ timestamp }) => timestamp)).toEqual(times);
    expect(sink.received.map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4]);
  },

  async 'keep a null value null and an empty one empty'(fixture) {
    const topic = await fixture.topic();
    const { sink } = await fixture.start({ topics: [topic] });
    await fixture.harness.produce(topic, [
      { key: 'gone', value: null },
      { key: 'empty', value: '' },
    ]);
    await waitFor(() => sink.received.length === 2);
    expect(sink.received.map(({ value }) => value)).toEqual([null, Buffer.alloc(0)]);
  },
};

export const askedRecords: ConformanceTests = {
  async 'are all that the topic holds, whoever owns the partition and whatever is committed'(fixture) {
    const topic = await fixture.topic(2);
    const groupId = uniqueName('group');
    const values = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ value: `${from + i}`, partition: (from + i) % 2 }));
    await fixture.harness.produce(topic, values(0, 10));
    const first = await fixture.start({ topics: [topic], groupId, fromBeginning: false });
    await fixture.harness.produce(topic, values(10, 3000));
    await waitFor(() => first.sink.received.length === 2990);
    await first.source.commit(first.sink.positions());
    await first.source.stop();
    const second = await fixture.start({ topics: [topic], groupId, fromBeginning: false });
    await fixture.harness.produce(topic, values(3000, 3002));

    const seen = new Map<number, string[]>();
    const ends = await second.source.readAgain(topic, (partition, some) => {
      seen.set(partition, [...(seen.get(partition) ?? []), ...some.map(({ value }) => String(value))]);
    });
    const expected = (partition: number) =>
      values(0, 3002)
        .filter((record) => record.partition === partition)
        .map(({ value }) => value);
    expect([seen.get(0), seen.get(1)]).toEqual([expected(0), expected(1)]);
    expect(ends).toEqual([
      { topic, partition: 0, offset: 1501 },
      { topic, partition: 1, offset: 1501 },
    ]);
  },

  async 'of an empty topic are none'(fixture) {
    const topic = await fixture.topic();
    const { source } = await fixture.start({ topics: [topic] });
    expect(await source.readAgain(topic, () => undefined)).toEqual([{ topic, partition: 0, offset: 0 }]);
  },

  async 'at an offset are the one there, or null at the end of the log'(fixture) {
    const topic = await fixture.topic();
    await fixture.harness.produce(topic, [{ value: 'a' }, { value: 'b' }]);
    const { source } = await fixture.start({ topics: [topic] });
    const found = await source.recordFrom(topic, 0, 1);
    expect([found?.offset, String(found?.value)]).toEqual([1, 'b']);
    expect(await source.recordFrom(topic, 0, 2)).toBeNull();
  },
};

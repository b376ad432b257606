import { expect } from '@jest/globals';
import { uniqueName, waitFor } from '@ws-gateway/testkit';
import { spread, type ConformanceTests } from './fixture.js';

export const positions: ConformanceTests = {
  async 'a restart continues at the committed offset, not behind it and not before it'(fixture) {
    const topic = await fixture.topic();
    const groupId = uniqueName('group');
    const first = await fixture.start({ topics: [topic], groupId });
    await fixture.harness.produce(topic, spread('', 10, 1));
    await waitFor(() => first.sink.received.length === 10);
    const committed = { topic, partition: 0, offset: 7, note: 'of the first' };
    await first.source.commit([committed]);
    await first.source.stop();
    await fixture.harness.produce(topic, [{ value: 'while nobody ran' }]);

    const second = await fixture.start({ topics: [topic], groupId });
    await waitFor(() => second.sink.received.length === 4);
    expect(second.sink.values).toEqual(['7', '8', '9', 'while nobody ran']);
    const [log, cluster]: unknown[] = [expect.any(String), expect.any(String)];
    expect([...second.sink.owned.values()]).toEqual([
      { topic, partition: 0, offset: 7, committed, beginOffset: 0, endOffset: 11, log, cluster },
    ]);
  },

  async 'a committed offset that the topic does not reach is told as it is, and the sink decides'(fixture) {
    const topic = await fixture.topic();
    const groupId = uniqueName('group');
    const first = await fixture.start({ topics: [topic], groupId });
    await first.source.commit([{ topic, partition: 0, offset: 4711, note: 'mine' }]);
    await first.source.stop();
    await fixture.harness.produce(topic, [{ value: 'old' }, { value: 'new' }]);
    const { source, sink } = fixture.create({ topics: [topic], groupId });
    // As a router does that knows the log, while `assigned` is waited for.
    sink.onAssigned = async () => source.seek(topic, 0, 1);
    await source.start(sink);
    const committed = { topic, partition: 0, offset: 4711, note: 'mine' };
    expect(sink.owned.get(`${topic}/0`)).toMatchObject({ offset: 0, committed, beginOffset: 0, endOffset: 2 });
    await waitFor(() => sink.received.length === 1);
    expect(sink.values).toEqual(['new']);
  },

  async 'no record is handed over before `assigned` has resolved'(fixture) {
    const topic = await fixture.topic();
    await fixture.harness.produce(topic, spread('', 5, 1));
    const { source, sink } = fixture.create({ topics: [topic] });
    const claimed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    sink.onAssigned = () => {
      asked.resolve();
      return claimed.promise;
    };
    const started = source.start(sink);
    await asked.promise;
    // Nor does it say that it is ready, while what is written may still come before its start.
    expect(source.status.healthy).toBe(false);
    // Barrier: another group, which began later, has them all.
    const other = await fixture.start({ topics: [topic] });
    await waitFor(() => other.sink.received.length === 5);
    expect(sink.received).toEqual([]);
    claimed.resolve();
    await started;
    await waitFor(() => sink.received.length === 5);
  },

  async 'stopping lets the router commit before the group is left, and hands over nothing after'(fixture) {
    const topic = await fixture.topic();
    const { source, sink } = await fixture.start({ topics: [topic] });
    await fixture.harness.produce(topic, [{ value: 'v' }]);
    await waitFor(() => sink.received.length === 1);
    let committed = false;
    sink.onRevoked = async () => {
      await source.commit(sink.positions());
      committed = true;
    };
    await source.stop();
    expect([committed, sink.owned.size, source.status.healthy]).toEqual([true, 0, false]);
    const late = source.commit([{ topic, partition: 0, offset: 1, note: '' }]);
    await expect(late).rejects.toMatchObject({ code: 'not_owned' });
    await fixture.harness.produce(topic, [{ value: 'after' }]);
    // Barrier: another group has what was written after the stop.
    const other = await fixture.start({ topics: [topic] });
    await waitFor(() => other.sink.received.length === 2);
    expect(sink.values).toEqual(['v']);
  },
};

export const pausing: ConformanceTests = {
  async 'a paused partition hands over nothing while the other one flows, and loses nothing'(fixture) {
    const topic = await fixture.topic(2);
    const { source, sink } = await fixture.start({ topics: [topic] });
    source.pause(topic, 0);
    source.pause(topic, 0);
    await fixture.harness.produce(topic, spread('', 20, 2));
    // The other partition's last record is the barrier: it was fetched in the same round or later.
    await waitFor(() => sink.received.length === 10);
    await fixture.harness.produce(topic, [{ value: 'barrier', partition: 1 }]);
    await waitFor(() => sink.values.includes('barrier'));
    expect(sink.received.every(({ partition }) => partition === 1)).toBe(true);

    source.resume(topic, 0);
    await waitFor(() => sink.received.length === 21);
    expect(new Set(sink.values).size).toBe(21);
  },

  async 'pausing from within the handover takes effect at once'(fixture) {
    const topic = await fixture.topic(2);
    const { source, sink } = await fixture.start({ topics: [topic] });
    const handOver = sink.records.bind(sink);
    sink.records = (...batch) => {
      handOver(...batch);
      source.pause(topic, 0);
    };
    await fixture.harness.produce(topic, spread('a', 3, 1));
    await waitFor(() => sink.received.length === 3);
    await fixture.harness.produce(topic, spread('b', 3, 1));
    await fixture.harness.produce(topic, [{ value: 'barrier', partition: 1 }]);
    await waitFor(() => sink.values.includes('barrier'));
    expect(sink.received).toHaveLength(4);
    source.resume(topic, 0);
    await waitFor(() => sink.received.length === 7);
  },
};

export const missingTopics: ConformanceTests = {
  async 'are waited for while the others flow, and read from their first record'(fixture) {
    const [there, missing] = [await fixture.topic(), uniqueName('conformance')];
    const { source, sink } = await fixture.start({ topics: [there, missing], fromBeginning: false });
    expect(source.status).toEqual({ started: true, healthy: true, troubles: [{ topic: missing, reason: 'missing' }] });
    await fixture.harness.produce(there, [{ value: 'flows' }]);
    await waitFor(() => sink.values.includes('flows'));
    await source.commit(sink.positions());

    await fixture.harness.createTopic(missing, 1);
    await fixture.harness.produce(missing, [{ value: 'first' }]);
    await waitFor(() => sink.values.includes('first'));
    await waitFor(() => source.status.healthy);
    expect(source.status.troubles).toEqual([]);
    expect(sink.values).toEqual(['flows', 'first']);
  },

  async 'that are all it has leave a source healthy: it waits, and stops'(fixture) {
    const missing = uniqueName('conformance');
    const { source } = await fixture.start({ topics: [missing] });
    expect(source.status).toEqual({ started: true, healthy: true, troubles: [{ topic: missing, reason: 'missing' }] });
    await source.stop();
  },
};

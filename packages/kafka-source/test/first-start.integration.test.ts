import { afterEach, describe, expect, test } from '@jest/globals';
import { createTopics, deleteTopics, produce, uniqueName, waitFor } from '@ws-gateway/testkit';
import { KafkajsRecordWriter } from '../src/index.js';
import { LogBook, Nodes } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

async function topicWith(values: readonly string[], partitions = 1): Promise<string> {
  const topic = uniqueName('first');
  await createTopics([topic], partitions);
  const records = values.map((value, i) => ({ value, partition: i % partitions }));
  if (records.length > 0) await produce(topic, records);
  return topic;
}

describe('the very first start of a group', () => {
  test('begins at the end of what exists', async () => {
    const topic = await topicWith(['old']);
    const { sink } = await nodes.start({ topics: [topic], fromBeginning: false });
    await produce(topic, [{ value: 'new' }]);
    await waitFor(() => sink.received.length > 0);
    expect(sink.values).toEqual(['new']);
  });

  test('begins at the beginning with `fromBeginning`', async () => {
    const topic = await topicWith(['old']);
    const { sink } = await nodes.start({ topics: [topic], fromBeginning: true });
    await waitFor(() => sink.received.length > 0);
    expect(sink.values).toEqual(['old']);
  });

  // A group that committed nothing would start at the end once more, behind what was written meanwhile.
  test('is remembered even when no record came: what is written while no node runs is not skipped', async () => {
    const topic = await topicWith(['old']);
    const groupId = uniqueName('group');
    const first = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await first.source.stop();
    await produce(topic, [{ value: 'while nobody ran' }]);
    const second = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await waitFor(() => second.sink.received.length > 0);
    expect(second.sink.values).toEqual(['while nobody ran']);
  });

  test('is one for each topic: one that is there when it is added begins at its end, too', async () => {
    const [topic, added] = [await topicWith(['old']), await topicWith(['old of the added one'])];
    const groupId = uniqueName('group');
    const first = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await first.source.stop();
    const second = await nodes.start({ topics: [topic, added], groupId, fromBeginning: false });
    await produce(added, [{ value: 'new' }]);
    await waitFor(() => second.sink.received.length > 0);
    expect(second.sink.values).toEqual(['new']);
  });

  test('is nothing to a topic that holds a state: it is read from its first record', async () => {
    const topic = await topicWith(['old']);
    const { sink } = await nodes.start({ topics: [topic], fromBeginning: false, wholeTopics: [topic] });
    await waitFor(() => sink.received.length > 0);
    expect(sink.values).toEqual(['old']);
  });

  // The broker forgets a deleted topic's offsets. When it was the only one, the group looked as if it had never been.
  test('is over for a topic that is deleted and made again: it begins at its first record', async () => {
    const topic = await topicWith(['old']);
    const groupId = uniqueName('group');
    const first = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    const { log } = first.sink.owned.get(`${topic}/0`)!;
    expect(log).toMatch(/^[0-9a-f]{32}$/);
    await first.source.stop();
    await deleteTopics([topic]);
    await waitFor(() => createTopics([topic]).then(() => true));
    await produce(topic, [{ value: 'first of the new one' }]);
    const second = await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    await waitFor(() => second.sink.received.length > 0);
    expect(second.sink.values).toEqual(['first of the new one']);
    expect(second.sink.owned.get(`${topic}/0`)!.log).not.toBe(log);
  });

  // If each node committed for its own partitions, the second would see the first one's commits, take the group for one
  // with a past and hand over old records; or both decide at different times and something is lost in between.
  test('two nodes that start together hand over all that is written after both have started, and nothing old', async () => {
    const partitions = 4;
    const topic = await topicWith(['old', 'old', 'old', 'old'], partitions);
    const groupId = uniqueName('group');
    const writer = new KafkajsRecordWriter({
      brokers: [process.env['WSGATEWAY_TEST_KAFKA'] ?? ''],
      clientId: 'test',
      logger: new LogBook(),
    });
    let running = true;
    let bothStarted = Infinity;
    let written = 0;
    const writing = (async () => {
      for (; running; written++) await writer.write(topic, [{ key: `k${written}`, value: String(written) }]);
    })();
    await waitFor(() => written > 3);

    const [a, b] = [
      nodes.create({ topics: [topic], groupId, fromBeginning: false }),
      nodes.create({ topics: [topic], groupId, fromBeginning: false }),
    ];
    await Promise.all([a.source.start(a.sink), b.source.start(b.sink)]);
    bothStarted = written + 1;
    await waitFor(() => written > bothStarted + 50 && a.sink.owned.size === 2 && b.sink.owned.size === 2);
    running = false;
    await writing;
    await writer.stop();

    const seen = (): Set<string> => new Set([...a.sink.values, ...b.sink.values]);
    const expected = Array.from({ length: written - bothStarted }, (_, i) => String(bothStarted + i));
    await waitFor(() => expected.every((value) => seen().has(value)), { what: 'all that was written' });
    expect(seen()).not.toContain('old');
    expect([...a.sink.violations, ...b.sink.violations]).toEqual([]);
    expect([...a.sink.owned.keys(), ...b.sink.owned.keys()].sort()).toEqual([0, 1, 2, 3].map((p) => `${topic}/${p}`));
  });
});

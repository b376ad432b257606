import { afterEach, describe, expect, test } from '@jest/globals';
import { RecordingSink } from '@ws-gateway/conformance/record-source';
import type { CommittedOffset, PartitionOffset } from '@ws-gateway/core';
import { createTopics, produce, testBrokers, uniqueName, waitFor } from '@ws-gateway/testkit';
import { ClusterAdmin } from '../src/cluster-admin.js';
import { StartPositions, type Beginnings } from '../src/start-positions.js';
import { LogBook, Nodes } from './support/harness.js';

const NO_IDENTITY = { logs: new Map<string, string>(), cluster: '' };

const nodes = new Nodes();
const admins: ClusterAdmin[] = [];
afterEach(async () => {
  await nodes.stopAll();
  await Promise.all(admins.splice(0).map((admin) => admin.close()));
});

function positions(groupId: string, options: { fromBeginning?: boolean } = {}): StartPositions {
  const logger = new LogBook();
  const admin = new ClusterAdmin({ brokers: testBrokers().split(','), clientId: 'test', logger });
  admins.push(admin);
  const { fromBeginning = false } = options;
  return new StartPositions({ admin, logger }, { groupId, fromBeginning, wholeTopics: [] });
}

async function topicWithOneRecordEach(partitions: number): Promise<string> {
  const topic = uniqueName('start');
  await createTopics([topic], partitions);
  await produce(
    topic,
    Array.from({ length: partitions }, (_, partition) => ({ value: 'old', partition })),
  );
  return topic;
}

/** Commits nothing, so that a decision can be looked at again and again. */
async function decisionOf(
  starts: StartPositions,
  topics: readonly string[],
  sink: Beginnings['sink'] = new RecordingSink(),
): Promise<readonly PartitionOffset[][]> {
  const calls: PartitionOffset[][] = [];
  const commit = async (offsets: readonly CommittedOffset[]): Promise<void> => {
    calls.push(offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })));
  };
  await starts.commitMissing({ topics, logs: new Map(), sink, commit });
  return calls;
}

describe('start positions', () => {
  // Were it done member by member, the second would take the first one's commits for a group that has a past, and begin
  // at the earliest record in its own partitions.
  test('are decided for the partitions of all members at once', async () => {
    const [a, b] = [await topicWithOneRecordEach(2), await topicWithOneRecordEach(1)];
    expect(await decisionOf(positions(uniqueName('group')), [a, b])).toEqual([
      [
        { topic: a, partition: 0, offset: 1 },
        { topic: a, partition: 1, offset: 1 },
        { topic: b, partition: 0, offset: 1 },
      ],
    ]);
  });

  test('are waited for by a member that does not decide', async () => {
    const topic = await topicWithOneRecordEach(2);
    const groupId = uniqueName('group');
    let found = false;
    const waiting = positions(groupId).of([{ topic, partition: 1 }], NO_IDENTITY, new AbortController().signal);
    void waiting.then(() => {
      found = true;
    });
    // Barrier: the same question, answered.
    await decisionOf(positions(groupId), [topic]);
    expect(found).toBe(false);
    await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    expect(await waiting).toMatchObject([{ topic, partition: 1, offset: 1, beginOffset: 0, endOffset: 1 }]);
  });

  test('are given up waiting for when the group rebalances', async () => {
    const topic = await topicWithOneRecordEach(1);
    const generation = new AbortController();
    const waiting = positions(uniqueName('group')).of([{ topic, partition: 0 }], NO_IDENTITY, generation.signal);
    generation.abort();
    expect(await waiting).toBeNull();
  });

  // It began at its end as of the restart, and what was written in between was skipped.
  test('are counted from the first sight when that leader died before it committed them', async () => {
    const topic = await topicWithOneRecordEach(1);
    const sink = new RecordingSink();
    await sink.sighted([{ topic, state: 'there', atMs: Date.now() + 1 }]);
    await waitFor(() => Date.now() > (sink.sights.get(topic)?.atMs ?? 0), { what: 'a later moment' });
    await produce(topic, [{ value: 'while no node ran', partition: 0 }]);
    expect(await decisionOf(positions(uniqueName('group')), [topic], sink)).toEqual([
      [{ topic, partition: 0, offset: 1 }],
    ]);
  });

  test('of a topic that was missing when the group first saw it are its first records', async () => {
    const topic = await topicWithOneRecordEach(1);
    const sink = new RecordingSink();
    await sink.sighted([{ topic, state: 'missing', atMs: 1 }]);
    expect(await decisionOf(positions(uniqueName('group')), [topic], sink)).toEqual([
      [{ topic, partition: 0, offset: 0 }],
    ]);
  });

  test('of a topic that was forbidden when the group first saw it are what was written since', async () => {
    const topic = await topicWithOneRecordEach(1);
    const sink = new RecordingSink();
    await sink.sighted([{ topic, state: 'forbidden', atMs: Date.now() + 1 }]);
    await waitFor(async () => {
      await produce(topic, [{ value: 'new' }]);
      return Date.now() > sink.sights.get(topic)!.atMs + 1;
    });
    const [[decision]] = (await decisionOf(positions(uniqueName('group')), [topic], sink)) as [[PartitionOffset]];
    expect(decision.offset).toBeGreaterThan(0);
  });
});

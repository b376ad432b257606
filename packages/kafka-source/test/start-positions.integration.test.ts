import { afterEach, describe, expect, test } from '@jest/globals';
import type { PartitionOffset } from '@ws-gateway/core';
import { createTopics, produce, testBrokers, uniqueName } from '@ws-gateway/testkit';
import { ClusterAdmin } from '../src/cluster-admin.js';
import { StartPositions } from '../src/start-positions.js';
import { LogBook, Nodes } from './support/harness.js';

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
  return new StartPositions(admin, logger, { groupId, fromBeginning: options.fromBeginning ?? false });
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
async function decisionOf(starts: StartPositions, topics: readonly string[]): Promise<readonly PartitionOffset[][]> {
  const calls: PartitionOffset[][] = [];
  await starts.commitMissing(topics, async (offsets) => {
    calls.push([...offsets]);
  });
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
    const waiting = positions(groupId).of([{ topic, partition: 1 }], new AbortController().signal);
    void waiting.then(() => {
      found = true;
    });
    // Barrier: the same question, answered.
    await decisionOf(positions(groupId), [topic]);
    expect(found).toBe(false);
    await nodes.start({ topics: [topic], groupId, fromBeginning: false });
    expect(await waiting).toEqual([{ topic, partition: 1, offset: 1, endOffset: 1 }]);
  });

  test('are given up waiting for when the group rebalances', async () => {
    const topic = await topicWithOneRecordEach(1);
    const generation = new AbortController();
    const waiting = positions(uniqueName('group')).of([{ topic, partition: 0 }], generation.signal);
    generation.abort();
    expect(await waiting).toBeNull();
  });

  test('of a topic that was seen missing is its earliest record, even in the first start', async () => {
    const topic = await topicWithOneRecordEach(1);
    const starts = positions(uniqueName('group'));
    starts.topicIsLate(topic);
    expect(await decisionOf(starts, [topic])).toEqual([[{ topic, partition: 0, offset: 0 }]]);
  });

  // The broker forgets a deleted topic's offsets. When it was the only one the group looks as if it had never been.
  test('of a group that has been seen before are the earliest records', async () => {
    const [known, made] = [await topicWithOneRecordEach(1), await topicWithOneRecordEach(1)];
    const starts = positions(uniqueName('group'));
    await decisionOf(starts, [known]);
    expect(await decisionOf(starts, [made])).toEqual([[{ topic: made, partition: 0, offset: 0 }]]);
  });
});

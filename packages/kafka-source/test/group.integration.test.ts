import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createTopics, produce, uniqueName, waitFor } from '@ws-gateway/testkit';
import { Nodes, type Node } from './support/harness.js';

const nodes = new Nodes();
afterEach(() => nodes.stopAll());

async function freshTopic(partitions: number): Promise<string> {
  const topic = uniqueName('group');
  await createTopics([topic], partitions);
  return topic;
}

function spread(prefix: string, count: number, partitions: number) {
  return Array.from({ length: count }, (_, i) => ({ value: `${prefix}${i}`, partition: i % partitions }));
}

function ownedCounts(...members: Node[]): number[] {
  return members.map(({ sink }) => sink.owned.size);
}

describe('members of a group', () => {
  test('share the partitions, and take over those of one that leaves', async () => {
    const topic = await freshTopic(4);
    const groupId = uniqueName('group');
    const a = await nodes.start({ topics: [topic], groupId });
    expect(ownedCounts(a)).toEqual([4]);
    const b = await nodes.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '2,2');

    await produce(topic, spread('both ', 40, 4));
    await waitFor(() => a.sink.received.length + b.sink.received.length === 40);
    expect([a.sink.received.length, b.sink.received.length]).toEqual([20, 20]);

    await b.source.commit(b.sink.positions());
    await a.source.commit(a.sink.positions());
    await b.source.stop();
    expect(ownedCounts(b)).toEqual([0]);
    await waitFor(() => String(ownedCounts(a)) === '4');
    await produce(topic, spread('alone ', 40, 4));
    await waitFor(() => a.sink.received.length === 60);
    expect([...a.sink.violations, ...b.sink.violations]).toEqual([]);
  });

  // kafkajs sends JoinGroup before anybody can settle anything, and the broker then refuses commits of the generation
  // before: whatever was not committed yet is handed over twice. (ConsumerCluster)
  test('what the router commits while its partitions are revoked is not handed over again', async () => {
    const topic = await freshTopic(2);
    const groupId = uniqueName('group');
    const a = await nodes.start({ topics: [topic], groupId });
    const commits: Promise<void>[] = [];
    a.sink.onRevoked = async () => {
      // A lane that needs its time to settle: without the gate the join is over long before.
      await delay(300);
      const commit = a.source.commit(a.sink.positions());
      commits.push(commit);
      await commit;
    };
    await produce(topic, spread('', 20, 2));
    await waitFor(() => a.sink.received.length === 20);

    const b = await nodes.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '1,1');
    await produce(topic, spread('later ', 2, 2));
    await waitFor(() => a.sink.received.length + b.sink.received.length >= 22);

    await Promise.all(commits);
    expect([...a.sink.values, ...b.sink.values].filter((value) => !value.startsWith('later'))).toHaveLength(20);
    expect([...a.sink.violations, ...b.sink.violations]).toEqual([]);
  });

  test('a commit of a partition that belongs to another member is refused', async () => {
    const topic = await freshTopic(2);
    const groupId = uniqueName('group');
    const a = await nodes.start({ topics: [topic], groupId });
    const b = await nodes.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '1,1');
    const [theirs] = [...b.sink.owned.values()];
    await expect(a.source.commit([{ ...theirs!, offset: 0, note: '' }])).rejects.toMatchObject({ code: 'not_owned' });
  });

  // The leader dealt out its own topics only, and only for these it said where they begin.
  test('with different topics read each topic where somebody knows it, whoever leads', async () => {
    const [both, added] = [await freshTopic(1), await freshTopic(2)];
    const groupId = uniqueName('group');
    const leader = await nodes.start({ topics: [both], groupId });
    const other = await nodes.start({ topics: [both, added], groupId });
    await waitFor(() => other.sink.owned.has(`${added}/0`) && other.sink.owned.has(`${added}/1`));
    await produce(added, spread('', 10, 2));
    await waitFor(() => other.sink.received.length === 10);
    expect([...leader.sink.violations, ...other.sink.violations]).toEqual([]);
    expect(leader.sink.received).toEqual([]);
  });

  test('a killed sink does not keep its member from rejoining', async () => {
    const topic = await freshTopic(2);
    const groupId = uniqueName('group');
    const a = await nodes.start({ topics: [topic], groupId });
    a.sink.onRevoked = async () => {
      throw new Error('the router has failed');
    };
    const b = await nodes.start({ topics: [topic], groupId });
    await waitFor(() => b.sink.owned.size === 1);
    expect(a.log.has('did not take')).toBe(true);
  });
});

describe('the position of a group', () => {
  test('a restart continues at the committed offset, not behind it and not before it', async () => {
    const topic = await freshTopic(1);
    const groupId = uniqueName('group');
    const first = await nodes.start({ topics: [topic], groupId });
    await produce(topic, spread('', 10, 1));
    await waitFor(() => first.sink.received.length === 10);
    const committed = { topic, partition: 0, offset: 7, note: 'of the first' };
    await first.source.commit([committed]);
    await first.source.stop();
    await produce(topic, [{ value: 'while nobody ran' }]);

    const second = await nodes.start({ topics: [topic], groupId });
    await waitFor(() => second.sink.received.length === 4);
    expect(second.sink.values).toEqual(['7', '8', '9', 'while nobody ran']);
    expect([...second.sink.owned.values()]).toEqual([
      {
        topic,
        partition: 0,
        offset: 7,
        committed,
        beginOffset: 0,
        endOffset: 11,
        log: expect.stringMatching(/^[0-9a-f]{32}$/),
      },
    ]);
  });

  test('no record is handed over before `assigned` has resolved', async () => {
    const topic = await freshTopic(1);
    await produce(topic, spread('', 5, 1));
    const node = nodes.create({ topics: [topic] });
    const claimed = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    node.sink.onAssigned = () => {
      asked.resolve();
      return claimed.promise;
    };
    const started = node.source.start(node.sink);
    await asked.promise;
    // Nor does it say that it is ready, while what is written may still come before its start.
    expect(node.source.status.healthy).toBe(false);
    // Barrier: another group, which began later, has them all.
    const other = await nodes.start({ topics: [topic] });
    await waitFor(() => other.sink.received.length === 5);
    expect(node.sink.received).toEqual([]);
    claimed.resolve();
    await started;
    await waitFor(() => node.sink.received.length === 5);
    expect(node.sink.violations).toEqual([]);
  });
});

describe('pausing', () => {
  test('a paused partition hands over nothing while the other one flows, and loses nothing', async () => {
    const topic = await freshTopic(2);
    const { source, sink } = await nodes.start({ topics: [topic] });
    source.pause(topic, 0);
    source.pause(topic, 0);
    await produce(topic, spread('', 20, 2));
    // The other partition's last record is the barrier: it was fetched in the same round or later.
    await waitFor(() => sink.received.length === 10);
    await produce(topic, [{ value: 'barrier', partition: 1 }]);
    await waitFor(() => sink.values.includes('barrier'));
    expect(sink.received.every(({ partition }) => partition === 1)).toBe(true);

    source.resume(topic, 0);
    await waitFor(() => sink.received.length === 21);
    expect(sink.violations).toEqual([]);
  });

  test('pausing from within the handover takes effect at once', async () => {
    const topic = await freshTopic(2);
    const { source, sink } = await nodes.start({ topics: [topic] });
    const handOver = sink.records.bind(sink);
    sink.records = (...batch) => {
      handOver(...batch);
      source.pause(topic, 0);
    };
    await produce(topic, spread('a', 3, 1));
    await waitFor(() => sink.received.length === 3);
    await produce(topic, spread('b', 3, 1));
    await produce(topic, [{ value: 'barrier', partition: 1 }]);
    await waitFor(() => sink.values.includes('barrier'));
    expect(sink.received).toHaveLength(4);
    source.resume(topic, 0);
    await waitFor(() => sink.received.length === 7);
  });
});

import { setTimeout as delay } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { uniqueName, waitFor } from '@ws-gateway/testkit';
import { spread, type ConformanceTests, type Member } from './fixture.js';

export const members: ConformanceTests = {
  async 'share the partitions, and take over those of one that leaves'(fixture) {
    const topic = await fixture.topic(4);
    const groupId = uniqueName('group');
    const a = await fixture.start({ topics: [topic], groupId });
    expect(ownedCounts(a)).toEqual([4]);
    const b = await fixture.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '2,2');

    await fixture.harness.produce(topic, spread('both ', 40, 4));
    await waitFor(() => a.sink.received.length + b.sink.received.length === 40);
    expect([a.sink.received.length, b.sink.received.length]).toEqual([20, 20]);

    await b.source.commit(b.sink.positions());
    await a.source.commit(a.sink.positions());
    await b.source.stop();
    expect(ownedCounts(b)).toEqual([0]);
    await waitFor(() => String(ownedCounts(a)) === '4');
    await fixture.harness.produce(topic, spread('alone ', 40, 4));
    await waitFor(() => a.sink.received.length === 60);
  },

  // A driver that joins before the router has settled is refused its commits, which are of the generation before:
  // whatever was not committed yet is handed over twice.
  async 'do not get again what the router committed while its partitions were revoked'(fixture) {
    const topic = await fixture.topic(2);
    const groupId = uniqueName('group');
    const a = await fixture.start({ topics: [topic], groupId });
    const commits: Promise<void>[] = [];
    a.sink.onRevoked = async () => {
      // A lane that needs its time to settle: a join that does not wait for it is over long before.
      await delay(300);
      const commit = a.source.commit(a.sink.positions());
      commits.push(commit);
      await commit;
    };
    await fixture.harness.produce(topic, spread('', 20, 2));
    await waitFor(() => a.sink.received.length === 20);

    const b = await fixture.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '1,1');
    await fixture.harness.produce(topic, spread('later ', 2, 2));
    await waitFor(() => a.sink.received.length + b.sink.received.length >= 22);

    await Promise.all(commits);
    expect([...a.sink.values, ...b.sink.values].filter((value) => !value.startsWith('later'))).toHaveLength(20);
  },

  async 'are refused a commit of a partition that belongs to another one'(fixture) {
    const topic = await fixture.topic(2);
    const groupId = uniqueName('group');
    const a = await fixture.start({ topics: [topic], groupId });
    const b = await fixture.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '1,1');
    const [theirs] = [...b.sink.owned.values()];
    await expect(a.source.commit([{ ...theirs!, offset: 0, note: '' }])).rejects.toMatchObject({ code: 'not_owned' });
  },

  async 'are taken out of the group by another one, and join again when they live'(fixture) {
    const topic = await fixture.topic(2);
    const groupId = uniqueName('group');
    const a = await fixture.start({ topics: [topic], groupId });
    const b = await fixture.start({ topics: [topic], groupId });
    await waitFor(() => String(ownedCounts(a, b)) === '1,1');
    const before = a.source.member;
    expect(before).not.toBe(b.source.member);
    await b.source.evict(before!);
    await waitFor(() => a.source.member !== before && String(ownedCounts(a, b)) === '1,1');
    await b.source.evict(before!);
    await fixture.harness.produce(topic, spread('', 20, 2));
    await waitFor(() => a.sink.received.length === 10 && b.sink.received.length === 10);
  },

  // A leader that deals out its own topics only leaves the others' unread, and says of its own only where they begin.
  async 'with different topics read each topic where somebody knows it, whoever leads'(fixture) {
    const [both, added] = [await fixture.topic(), await fixture.topic(2)];
    const groupId = uniqueName('group');
    const leader = await fixture.start({ topics: [both], groupId });
    const other = await fixture.start({ topics: [both, added], groupId });
    await waitFor(() => other.sink.owned.has(`${added}/0`) && other.sink.owned.has(`${added}/1`));
    await fixture.harness.produce(added, spread('', 10, 2));
    await waitFor(() => other.sink.received.length === 10);
    expect(leader.sink.received).toEqual([]);
  },
};

function ownedCounts(...some: Member[]): number[] {
  return some.map(({ sink }) => sink.owned.size);
}

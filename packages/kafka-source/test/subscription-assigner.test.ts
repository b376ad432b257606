import { describe, expect, test } from '@jest/globals';
import kafkajs from 'kafkajs';
import { assignBySubscription, toSubscription, type Subscription } from '../src/subscription-assigner.js';

function member(memberId: string, topics: Readonly<Record<string, number>>): Subscription {
  return { memberId, topics: new Map(Object.entries(topics)) };
}

function assigned(members: readonly Subscription[], counts: Readonly<Record<string, number>> = {}) {
  const found = assignBySubscription(members, (topic) => counts[topic] ?? 0);
  return Object.fromEntries([...found].map(([id, topics]) => [id, Object.fromEntries(topics)]));
}

describe('partitions of a group whose members differ', () => {
  test('go to members that subscribe to their topic, also to topics that the leader does not know', () => {
    const members = [member('old', { a: 2 }), member('new', { a: 2, b: 4 })];
    expect(assigned(members, { a: 2 })).toEqual({ old: { a: [1] }, new: { a: [0], b: [0, 1, 2, 3] } });
  });

  test('are spread evenly over members that are alike', () => {
    const members = ['c', 'a', 'b'].map((id) => member(id, { t: 5, u: 4 }));
    expect(assigned(members)).toEqual({
      a: { t: [0, 3], u: [1] },
      b: { t: [1, 4], u: [2] },
      c: { t: [2], u: [0, 3] },
    });
  });

  test('are as many as the member says that knows of the most', () => {
    expect(assigned([member('a', { t: 2 }), member('b', { t: 3 })], { t: 1 })).toEqual({
      a: { t: [0, 2] },
      b: { t: [1] },
    });
  });

  test('of topics named like members of every object are counted like others', () => {
    const { MemberMetadata } = kafkajs.AssignerProtocol;
    const userData = Buffer.from(JSON.stringify({ a: 1 }));
    const memberMetadata = MemberMetadata.encode({ version: 0, topics: ['a', 'constructor'], userData });
    const own = toSubscription({ memberId: 'm', memberMetadata });
    expect([...own.topics]).toEqual([
      ['a', 1],
      ['constructor', 0],
    ]);
  });

  test('of a member of the release before are as many as the leader knows of', () => {
    const { MemberMetadata } = kafkajs.AssignerProtocol;
    const memberMetadata = MemberMetadata.encode({ version: 0, topics: ['a', 'b'], userData: Buffer.alloc(0) });
    const before = toSubscription({ memberId: 'before', memberMetadata });
    expect(assigned([before], { a: 2 })).toEqual({ before: { a: [0, 1] } });
  });
});

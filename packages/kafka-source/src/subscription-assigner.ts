import { own } from '@ws-gateway/core';
import kafkajs, { type Assigner, type Cluster, type GroupMember } from 'kafkajs';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** What a member of the group says of itself when it joins. */
export interface Subscription {
  readonly memberId: string;
  /** Partitions of each topic it reads, as far as it knows; 0: it does not say. */
  readonly topics: ReadonlyMap<string, number>;
}

/**
 * Gives each partition to a member that subscribes to its topic, of all topics that anybody subscribes to. kafkajs' own
 * assigner looks at the topics of the group's leader only: while a roll-out adds a topic, its partitions go to nobody, or
 * to nodes that throw their records away.
 *
 * `onTopics` is told all of these topics, by the leader's assigner only.
 *
 * It bears the name of kafkajs' own and speaks its format, so that both can be in one group: the leader decides, and the
 * others take what they are given.
 */
export function subscriptionAssigner(cluster: Cluster, onTopics: (topics: readonly string[]) => void): Assigner {
  const version = 0;
  const countOf = (topic: string): number => cluster.findTopicPartitionMetadata(topic).length;
  return {
    name: 'RoundRobinAssigner',
    version,
    protocol({ topics }) {
      const counts = Object.fromEntries(topics.map((topic) => [topic, countOf(topic)]));
      const metadata = { version, topics, userData: Buffer.from(JSON.stringify(counts)) };
      return { name: 'RoundRobinAssigner', metadata: MemberMetadata.encode(metadata) };
    },
    async assign({ members }) {
      const subscriptions = members.map(toSubscription);
      onTopics([...new Set(subscriptions.flatMap(({ topics }) => [...topics.keys()]))]);
      const assignments = assignBySubscription(subscriptions, countOf);
      return [...assignments].map(([memberId, topics]) => ({
        memberId,
        memberAssignment: MemberAssignment.encode({
          version,
          assignment: Object.fromEntries(topics),
          userData: Buffer.alloc(0),
        }),
      }));
    },
  };
}

/** By member, then topic: partitions. A topic goes round among those who read it, those with the least first. */
export function assignBySubscription(
  subscriptions: readonly Subscription[],
  countOf: (topic: string) => number,
): Map<string, Map<string, number[]>> {
  const members = subscriptions.toSorted((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assigned = new Map(members.map(({ memberId }) => [memberId, new Map<string, number[]>()]));
  const load = new Map(members.map(({ memberId }) => [memberId, 0]));
  const topics = [...new Set(members.flatMap((member) => [...member.topics.keys()]))].sort();
  for (const topic of topics) {
    const readers = members.filter((member) => member.topics.has(topic)).map(({ memberId }) => memberId);
    const count = Math.max(countOf(topic), ...members.map((member) => member.topics.get(topic) ?? 0));
    for (let partition = 0; partition < count; partition++) {
      const reader = readers.reduce((least, other) => (load.get(other)! < load.get(least)! ? other : least));
      load.set(reader, load.get(reader)! + 1);
      const own = assigned.get(reader)!;
      own.set(topic, [...(own.get(topic) ?? []), partition]);
    }
  }
  return assigned;
}

export function toSubscription({ memberId, memberMetadata }: GroupMember): Subscription {
  const decoded = MemberMetadata.decode(memberMetadata);
  const counts = partitionCountsIn(decoded?.userData);
  return { memberId, topics: new Map((decoded?.topics ?? []).map((topic) => [topic, own(counts, topic) ?? 0])) };
}

/** A member of another kind has no user data, or other ones. */
function partitionCountsIn(userData: Buffer | undefined): Readonly<Record<string, number>> {
  try {
    const counts: unknown = JSON.parse(String(userData ?? ''));
    return typeof counts === 'object' && counts !== null ? (counts as Record<string, number>) : {};
  } catch {
    return {};
  }
}

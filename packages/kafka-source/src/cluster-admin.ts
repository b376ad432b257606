import kafkajs, { type Admin, type MemberDescription, type RetryOptions } from 'kafkajs';
import { createClient } from './client.js';
import { isForbiddenTopic, isUnknownTopic, toKafkaError } from './errors.js';
import type { KafkaConnectionOptions } from './options.js';
import { withDeadline } from './timing.js';

/** Time limit in ms of one call: callers retry by their own rules. */
const DEADLINE_MS = 10_000;
const DISCONNECT_TIMEOUT_MS = 2_000;
const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 500, retries: 2 };

/** A topic to be made; what is left out is the broker's default. */
export interface TopicSpec {
  readonly topic: string;
  readonly partitions?: number;
  readonly replicationFactor?: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface TopicStatus {
  readonly topic: string;
  readonly exists: boolean;
  /** The broker tells nothing about it, not even whether it exists. */
  readonly forbidden: boolean;
  /** Number of partitions; 0 when the topic does not exist. */
  readonly partitions: number;
}

/** Where a partition begins and ends, and what the group has committed for it (null: nothing). */
export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  readonly committed: number | null;
  /** Note that was committed with the offset. */
  readonly note: string;
  readonly low: number;
  readonly high: number;
}

/**
 * Questions to the cluster over a connection of its own, made at the first call and anew after a failed one: a kafkajs
 * admin remembers topics it was asked about and fails for good when one of them is deleted.
 */
export class ClusterAdmin {
  readonly #options: KafkaConnectionOptions;
  #connection: { readonly admin: Promise<Admin>; readonly retired: AbortController } | null = null;

  constructor(options: KafkaConnectionOptions) {
    this.#options = options;
  }

  async checkTopics(topics: readonly string[]): Promise<TopicStatus[]> {
    return this.#call('topic check', async (admin) => {
      const all = await partitionCounts(admin, topics).catch(nullIfAboutTopic);
      if (all) return topics.map((topic) => status(topic, all));
      // One topic that is missing or forbidden fails the question for all: ask for each.
      const found: TopicStatus[] = [];
      for (const topic of topics) found.push(await statusOf(admin, topic));
      return found;
    });
  }

  /** Says which of them were made; those that exist already are left as they are. */
  async createTopics(specs: readonly TopicSpec[]): Promise<string[]> {
    return this.#call('topic creation', async (admin) => {
      const created: string[] = [];
      for (const spec of specs) {
        // waitForLeaders waits for what a fresh broker answers late: whoever needs the topic polls (docs/kafkajs.md, rule 9).
        const made = await admin.createTopics({ waitForLeaders: false, topics: [toTopicConfig(spec)] });
        if (made) created.push(spec.topic);
      }
      return created;
    });
  }

  /** Reads all partitions of the topics. Rejects when one of them does not exist. */
  async partitionStates(groupId: string, topics: readonly string[]): Promise<PartitionState[]> {
    return this.#call('offset query', async (admin) => {
      const committed = await admin.fetchOffsets({ groupId, topics: [...topics] });
      const bounds = await Promise.all(topics.map(async (topic) => admin.fetchTopicOffsets(topic)));
      return topics.flatMap((topic, i) => {
        const offsets = committed.find((entry) => entry.topic === topic)?.partitions ?? [];
        const partitions = bounds[i]!.toSorted((a, b) => a.partition - b.partition);
        return partitions.map(({ partition, low, high }) => {
          const entry = offsets.find((candidate) => candidate.partition === partition);
          const offset = Number(entry?.offset ?? -1);
          // Besides -1 for nothing there is the -2 that kafkajs commits for "earliest" when an offset is out of range.
          const committed = offset < 0 ? null : offset;
          return { topic, partition, committed, note: entry?.metadata ?? '', low: Number(low), high: Number(high) };
        });
      });
    });
  }

  /** Where each partition begins and ends; null when the topic does not exist. */
  async topicBounds(topic: string): Promise<{ partition: number; begin: number; end: number }[] | null> {
    return this.#call('offset query', async (admin) => {
      const found = await admin.fetchTopicOffsets(topic).catch(nullIfAboutTopic);
      if (found === null) return null;
      const bounds = found.map(({ partition, low, high }) => ({ partition, begin: Number(low), end: Number(high) }));
      return bounds.sort((a, b) => a.partition - b.partition);
    });
  }

  /** Where the records begin that bear this time or a later one, by partition. */
  async offsetsAt(topic: string, atMs: number): Promise<ReadonlyMap<number, number>> {
    return this.#call('offset query', async (admin) => {
      const offsets = await admin.fetchTopicOffsetsByTimestamp(topic, atMs);
      return new Map(offsets.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }

  /** Partitions that a member of the group reads, as `topic/partition`; null while the group hands them out. */
  async partitionsRead(groupId: string): Promise<ReadonlySet<string> | null> {
    return this.#call('group query', async (admin) => {
      const [group] = (await admin.describeGroups([groupId])).groups;
      return group?.state === 'Stable' ? readBy(group.members) : null;
    });
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    if (!connection) return;
    const closing = connection.admin.then((admin) => admin.disconnect());
    await withDeadline(closing, DISCONNECT_TIMEOUT_MS, 'disconnecting').catch((error: unknown) =>
      this.#options.logger.debug('kafka admin connection was not closed cleanly', { error }),
    );
    connection.retired.abort();
  }

  async #call<T>(what: string, work: (admin: Admin) => Promise<T>): Promise<T> {
    try {
      const done = this.#connect().then((admin) => work(admin));
      return await withDeadline(done, DEADLINE_MS, what);
    } catch (error) {
      // Its own failure adds nothing to the one that is thrown.
      this.close().catch(() => undefined);
      throw toKafkaError(error);
    }
  }

  #connect(): Promise<Admin> {
    if (!this.#connection) {
      const retired = new AbortController();
      this.#connection = { retired, admin: connect(this.#options, retired.signal) };
    }
    return this.#connection.admin;
  }
}

/** Connects, makes the topics that are missing, and disconnects, for the command line. */
export async function createTopics(options: KafkaConnectionOptions, specs: readonly TopicSpec[]): Promise<string[]> {
  return once(options, (admin) => admin.createTopics(specs));
}

/** Connects, asks for the topics, and disconnects, for the command line. */
export async function checkTopics(options: KafkaConnectionOptions, topics: readonly string[]): Promise<TopicStatus[]> {
  return once(options, (admin) => admin.checkTopics(topics));
}

async function once<T>(options: KafkaConnectionOptions, work: (admin: ClusterAdmin) => Promise<T>): Promise<T> {
  const admin = new ClusterAdmin(options);
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

async function connect(options: KafkaConnectionOptions, retired: AbortSignal): Promise<Admin> {
  const admin = createClient(options, { retry: RETRY, retired }).admin({ retry: RETRY });
  await admin.connect();
  return admin;
}

async function partitionCounts(admin: Admin, topics: readonly string[]): Promise<Map<string, number>> {
  const { topics: found } = await admin.fetchTopicMetadata({ topics: [...topics] });
  return new Map(found.map(({ name, partitions }) => [name, partitions.length]));
}

function nullIfAboutTopic(error: unknown): null {
  if (isUnknownTopic(error) || isForbiddenTopic(error)) return null;
  throw error;
}

async function statusOf(admin: Admin, topic: string): Promise<TopicStatus> {
  try {
    return status(topic, await partitionCounts(admin, [topic]));
  } catch (error) {
    if (isForbiddenTopic(error)) return { ...status(topic, new Map()), forbidden: true };
    if (isUnknownTopic(error)) return status(topic, new Map());
    throw error;
  }
}

function status(topic: string, counts: ReadonlyMap<string, number>): TopicStatus {
  const partitions = counts.get(topic) ?? 0;
  return { topic, exists: partitions > 0, forbidden: false, partitions };
}

/** What a member was given and does not subscribe to it lets lie. */
function readBy(members: readonly MemberDescription[]): Set<string> {
  const read = new Set<string>();
  for (const { memberMetadata, memberAssignment } of members) {
    const subscribed = kafkajs.AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? [];
    const { assignment = {} } = kafkajs.AssignerProtocol.MemberAssignment.decode(memberAssignment) ?? {};
    for (const topic of subscribed) {
      for (const partition of assignment[topic] ?? []) read.add(`${topic}/${partition}`);
    }
  }
  return read;
}

function toTopicConfig(spec: TopicSpec) {
  return {
    topic: spec.topic,
    numPartitions: spec.partitions ?? -1,
    replicationFactor: spec.replicationFactor ?? -1,
    configEntries: Object.entries(spec.config ?? {}).map(([name, value]) => ({ name, value })),
  };
}

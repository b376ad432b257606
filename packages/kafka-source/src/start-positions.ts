import { formatStartNote, type CommittedOffset, type RecordSink } from '@ws-gateway/core';
import type { AssignedPartition, Logger, TopicSight } from '@ws-gateway/core';
import type { ClusterAdmin, PartitionState } from './cluster-admin.js';
import { pause } from './timing.js';

const POLL_MS = 50;
const POLL_MAX_MS = 1_000;
/** How long partitions that are ready wait for others whose beginning is not committed yet. */
const OTHERS_TIMEOUT_MS = 3_000;

interface StartPositionOptions {
  readonly groupId: string;
  readonly fromBeginning: boolean;
  /** Topics that are read from their first record whatever `fromBeginning` says. */
  readonly wholeTopics: readonly string[];
}

export interface StartPositionDeps {
  readonly admin: ClusterAdmin;
  readonly logger: Logger;
}

/** What a leader needs to decide. */
export interface Beginnings {
  readonly topics: readonly string[];
  /** Topics that only other members of the group subscribe to. */
  readonly others?: readonly string[];
  /** The brokers' ids of topics. */
  readonly logs: ReadonlyMap<string, string>;
  readonly sink: Pick<RecordSink, 'sighted'>;
  readonly commit: (offsets: readonly CommittedOffset[]) => Promise<void>;
}

/**
 * Decides where partitions start that the group has committed nothing for. The rule: a topic that was there when the group
 * first saw it begins at its end (at its first record with `fromBeginning`); everything else, be it a topic made later, one
 * made again, or a new partition, begins at its first record. So nothing that is written while no node runs is skipped.
 *
 * Kafka alone cannot tell when a group first saw a topic: it forgets a deleted topic's offsets, maybe the group's only ones.
 * So that is remembered by the sink.
 *
 * The decision must be one for all partitions, or the second of two nodes that start together would take the first one's
 * commits for a group with a past and hand over old records. So only the leader of a generation commits start positions, for
 * all partitions of all members and in one request, which the broker applies as a whole and only for the current
 * generation. The others wait until they see theirs.
 */
export class StartPositions {
  readonly #deps: StartPositionDeps;
  readonly #options: StartPositionOptions;
  /** Topics that the group has begun to read, as far as this process knows: the sink's store may lose its memory. */
  readonly #begun = new Set<string>();

  constructor(deps: StartPositionDeps, options: StartPositionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Commits, as the leader, a start position for every partition of the topics that has none. */
  async commitMissing({ topics: own, others = [], logs, sink, commit }: Beginnings): Promise<void> {
    const { admin, logger } = this.#deps;
    // One of them may be missing or forbidden here, which is no reason to keep the others waiting.
    const found = others.length === 0 ? [] : (await admin.checkTopics(others)).filter(({ exists }) => exists);
    const topics = [...own, ...found.map(({ topic }) => topic)];
    const states = await admin.partitionStates(this.#options.groupId, topics);
    const fresh = topics.filter((topic) => states.some((state) => state.topic === topic && state.committed === null));
    const begun = new Set(this.#begun);
    for (const topic of topics) this.#begun.add(topic);
    if (fresh.length === 0) return;
    const now = Date.now();
    const sights = await sink.sighted(
      fresh.map((topic) => ({ topic, state: begun.has(topic) ? 'begun' : 'there', atMs: now })),
    );
    const isBare = (topic: string): boolean =>
      states.every((state) => state.topic !== topic || state.committed === null);
    const again = sights.filter(({ topic, state }) => state === 'begun' && isBare(topic)).map(({ topic }) => topic);
    if (again.length > 0) logger.warn('the offsets of topics that the group had begun are gone', { topics: again });
    const offsets: CommittedOffset[] = [];
    for (const sight of sights.map((kept) => ({ ...kept, isOld: kept.atMs < now }))) {
      const ofTopic = states.filter(({ topic }) => topic === sight.topic);
      offsets.push(...(await this.#beginningsOf(sight, ofTopic, logs.get(sight.topic) ?? '')));
    }
    await commit(offsets);
    await sink.sighted(fresh.map((topic) => ({ topic, state: 'begun', atMs: now })));
    const fields = { group: this.#options.groupId, partitions: offsets.length };
    logger.info('kafka start positions committed', {
      ...fields,
      seen: sights.map(({ topic, state }) => `${topic} ${state}`),
    });
  }

  /** From the first record to the end, as far as Kafka keeps it. */
  async bounds(topic: string): Promise<{ partition: number; begin: number }[]> {
    const states = await this.#deps.admin.partitionStates(this.#options.groupId, [topic]);
    return states.map(({ partition, low }) => ({ partition, begin: low }));
  }

  /**
   * Finds where to begin in the partitions given, or in those of them whose beginning is committed when the others take
   * their time. Rejects when Kafka cannot be asked; resolves to null when the signal aborts.
   */
  async of(
    owned: readonly { topic: string; partition: number }[],
    { logs, cluster }: { readonly logs: ReadonlyMap<string, string>; readonly cluster: string },
    signal: AbortSignal,
  ): Promise<AssignedPartition[] | null> {
    const topics = [...new Set(owned.map(({ topic }) => topic))];
    const giveUpAt = performance.now() + OTHERS_TIMEOUT_MS;
    for (let pollMs = POLL_MS; !signal.aborted; pollMs = Math.min(POLL_MAX_MS, pollMs * 1.5)) {
      const states = await this.#deps.admin.partitionStates(this.#options.groupId, topics);
      const mine = owned.map(({ topic, partition }) => findState(states, topic, partition));
      const known = mine.filter((state) => state !== null && state.committed !== null) as PartitionState[];
      if (known.length === owned.length || (known.length > 0 && performance.now() > giveUpAt)) {
        return known.map((state) => toAssigned(state, { log: logs.get(state.topic) ?? '', cluster }));
      }
      await pause(pollMs, signal);
    }
    return null;
  }

  async #beginningsOf(
    { topic, state, atMs, isOld }: TopicSight & { readonly isOld: boolean },
    partitions: readonly PartitionState[],
    log: string,
  ): Promise<CommittedOffset[]> {
    const isFirst = state === 'there' && partitions.every(({ committed }) => committed === null);
    const isWhole = this.#options.fromBeginning || this.#options.wholeTopics.includes(topic);
    // Its rights came later, or whoever saw it first died before it was committed where it begins: what was written since is
    // new.
    const isLate = state === 'forbidden' || (isFirst && isOld);
    const byTime = isLate && !isWhole ? await this.#deps.admin.offsetsAt(topic, atMs) : null;
    const note = formatStartNote(log, state === 'begun' ? 'again' : 'first');
    return partitions
      .filter(({ committed }) => committed === null)
      .map(({ partition, low, high }) => {
        const offset = byTime?.get(partition) ?? (isFirst && !isWhole ? high : low);
        return { topic, partition, offset, note };
      });
  }
}

function findState(states: readonly PartitionState[], topic: string, partition: number): PartitionState | null {
  return states.find((state) => state.topic === topic && state.partition === partition) ?? null;
}

function toAssigned(
  { topic, partition, committed, note, low, high }: PartitionState,
  identity: { readonly log: string; readonly cluster: string },
): AssignedPartition {
  const offset = committed !== null && committed >= low && committed <= high ? committed : low;
  return {
    topic,
    partition,
    offset,
    committed: committed === null ? null : { topic, partition, offset: committed, note },
    beginOffset: low,
    endOffset: high,
    ...identity,
  };
}

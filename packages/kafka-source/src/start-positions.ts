import type { Logger, PartitionOffset } from '@ws-gateway/core';
import type { ClusterAdmin, PartitionState } from './cluster-admin.js';
import { pause } from './timing.js';

const POLL_MS = 50;
/** How long a member waits for the group's leader to commit start positions, before it begins at the earliest itself. */
const LEADER_TIMEOUT_MS = 10_000;

export interface StartPosition {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** High watermark. */
  readonly endOffset: number;
}

interface StartPositionOptions {
  readonly groupId: string;
  readonly fromBeginning: boolean;
}

/**
 * Decides where partitions start. The rule: a group that never committed anything starts at the end of what exists (at
 * the start with `fromBeginning`), and says so to Kafka at once; any partition that comes later starts at its earliest
 * record. So nothing that is written while no node runs is skipped.
 *
 * Whether it is the group's first start must be decided once for all partitions, or the second of two nodes that start
 * together would take the first one's commits for a group with a past and hand over old records. So only the leader of a
 * generation commits start positions, for all partitions of all members and in one request, which the broker applies as
 * a whole and only for the current generation. The others wait until they see theirs.
 */
export class StartPositions {
  readonly #admin: ClusterAdmin;
  readonly #logger: Logger;
  readonly #options: StartPositionOptions;
  /** Topics this process has seen missing: whatever is in them is new. */
  readonly #late = new Set<string>();
  /** By topic and partition, the offset where the group began: goes with every commit, as its only lasting memory. */
  readonly #origins = new Map<string, number>();
  /** The group has committed before. Kept because the broker forgets a deleted topic's offsets, maybe its only ones. */
  #groupKnown = false;

  constructor(admin: ClusterAdmin, logger: Logger, options: StartPositionOptions) {
    this.#admin = admin;
    this.#logger = logger;
    this.#options = options;
  }

  /** From now on the topic counts as one that came later, even in a group's very first start. */
  topicIsLate(topic: string): void {
    this.#late.add(topic);
  }

  /** As the leader: commits a start position for every partition of the topics that has none. */
  async commitMissing(
    topics: readonly string[],
    commit: (offsets: readonly PartitionOffset[]) => Promise<void>,
  ): Promise<void> {
    const states = await this.#admin.partitionStates(this.#options.groupId, topics);
    const firstStart = !this.#groupKnown && states.every(({ committed }) => committed === null);
    const missing = states.filter(({ committed }) => committed === null);
    if (missing.length > 0) {
      const first = missing.map((state) => this.#firstPosition(state, firstStart));
      for (const { topic, partition, offset } of first) this.#origins.set(`${topic}/${partition}`, offset);
      await commit(first);
      this.#logger.info('kafka start positions committed', {
        group: this.#options.groupId,
        partitions: missing.length,
        firstStart,
      });
    }
    this.#groupKnown = true;
  }

  /** What to commit beside an offset of this partition. */
  note(topic: string, partition: number): string {
    const origin = this.#origins.get(`${topic}/${partition}`);
    return origin === undefined ? '' : `since ${origin}`;
  }

  /** Where each partition of the topic begins for this group, as far as Kafka still has it, and where it ends. */
  async bounds(topic: string): Promise<{ partition: number; begin: number; end: number }[]> {
    const states = await this.#admin.partitionStates(this.#options.groupId, [topic]);
    return states.map(({ partition, note, low, high }) => ({
      partition,
      begin: Math.max(low, Math.min(high, originIn(note) ?? low)),
      end: high,
    }));
  }

  /**
   * Where to begin in the partitions given. Waits until the leader has committed start positions for them. Rejects when
   * Kafka can't be asked; resolves to null when the signal aborts.
   */
  async of(
    owned: readonly { topic: string; partition: number }[],
    signal: AbortSignal,
  ): Promise<StartPosition[] | null> {
    const topics = [...new Set(owned.map(({ topic }) => topic))];
    const giveUpAt = Date.now() + LEADER_TIMEOUT_MS;
    while (!signal.aborted) {
      const states = await this.#admin.partitionStates(this.#options.groupId, topics);
      const mine = owned.map(({ topic, partition }) => findState(states, topic, partition));
      const known = mine.filter((state) => state !== null);
      const settled = known.filter(({ committed }) => committed !== null);
      if (settled.length === owned.length || (known.length === owned.length && Date.now() > giveUpAt)) {
        this.#groupKnown = true;
        return known.map((state) => this.#position(state));
      }
      await pause(POLL_MS, signal);
    }
    return null;
  }

  #firstPosition(state: PartitionState, firstStart: boolean): PartitionOffset {
    const { topic, partition, low, high } = state;
    const atEnd = firstStart && !this.#options.fromBeginning && !this.#late.has(topic);
    return { topic, partition, offset: atEnd ? high : low };
  }

  #position({ topic, partition, committed, note, low, high }: PartitionState): StartPosition {
    const origin = originIn(note);
    if (origin !== null) this.#origins.set(`${topic}/${partition}`, origin);
    if (committed !== null && committed >= low && committed <= high) {
      return { topic, partition, offset: committed, endOffset: high };
    }
    // The topic was deleted and made again, or its retention has overtaken us.
    const fields = { topic, partition, committed, low, high };
    this.#origins.set(`${topic}/${partition}`, low);
    this.#logger.warn('kafka committed offset is out of range, starting at the earliest record', fields);
    return { topic, partition, offset: low, endOffset: high };
  }
}

function findState(states: readonly PartitionState[], topic: string, partition: number): PartitionState | null {
  return states.find((state) => state.topic === topic && state.partition === partition) ?? null;
}

function originIn(note: string): number | null {
  const digits = /^since (\d+)$/.exec(note)?.[1];
  return digits === undefined ? null : Number(digits);
}

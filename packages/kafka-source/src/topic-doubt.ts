import { proofOf } from '@ws-gateway/core';
import type { ConsumerCluster } from './consumer-cluster.js';
import type { OwnedPartition, OwnedPartitions } from './owned-partitions.js';
import type { PartitionFeed } from './partition-feed.js';
import { pause } from './timing.js';

const ASK_MS = 200;
/** A broker that has just started may not know its topics for a moment. */
const MISSING_MS = 3_000;

export interface TopicDoubtParts {
  readonly owned: OwnedPartitions;
  readonly feed: PartitionFeed;
  /** Asked for the ids of these topics (one that is missing is left out), and for single records. */
  readonly cluster: Pick<ConsumerCluster, 'topicIds' | 'recordFrom'>;
  readonly topics: readonly string[];
}

interface Doubted {
  /** Ids of the topics when they were assigned. */
  readonly known: ReadonlyMap<string, string>;
  readonly resting: readonly OwnedPartition[];
}

/**
 * What to do when the broker did not know a topic for a moment, a partition has another leader, or a connection broke and
 * there is one again. kafkajs reads on where it was; but the topic may be another one by then, or the whole Kafka, or the log
 * may have lost its end and grown past it again: what stands before that offset would be passed over. So nothing is handed
 * over until the topics' ids are known to be what they were, and the record that was read last stands where it stood.
 */
export class TopicDoubt {
  readonly #parts: TopicDoubtParts;
  readonly #lost: () => void;
  /** The generation in which ids are asked for. */
  #raisedIn: AbortSignal | null = null;
  /** Raised again meanwhile: the answer may be of before. */
  #again = false;

  /** `lost`: one of the topics is another one, or gone, or has lost its end. */
  constructor(parts: TopicDoubtParts, lost: () => void) {
    this.#parts = parts;
    this.#lost = lost;
  }

  /** Rests all partitions at once, and asks. `known`: the ids when they were assigned. */
  async raise(known: ReadonlyMap<string, string>, generation: AbortSignal): Promise<void> {
    this.#again = this.#raisedIn === generation;
    if (this.#again) return;
    this.#raisedIn = generation;
    const { owned, feed } = this.#parts;
    const resting = owned.all().filter(({ open }) => open);
    owned.shut();
    for (const partition of resting) feed.steer(partition);
    let isSame: boolean;
    do {
      this.#again = false;
      isSame = await this.#isSame({ known, resting }, generation);
    } while (isSame && this.#again);
    if (generation.aborted) return;
    this.#raisedIn = null;
    if (isSame) this.#goOn(resting);
    else this.#lost();
  }

  #goOn(resting: readonly OwnedPartition[]): void {
    for (const partition of resting) {
      partition.open = true;
      this.#parts.feed.startAt(partition, partition.nextOffset);
    }
  }

  async #isSame({ known, resting }: Doubted, generation: AbortSignal): Promise<boolean> {
    const giveUpAt = performance.now() + MISSING_MS;
    while (!generation.aborted && known.size > 0 && performance.now() < giveUpAt) {
      const now = await this.#parts.cluster.topicIds(this.#parts.topics).catch(() => new Map<string, string>());
      if ([...known.keys()].every((topic) => now.has(topic))) {
        if ([...known].some(([topic, id]) => now.get(topic) !== id)) return false;
        // Out of the log's range is an error, too: a partition that cannot be compared in time is opened anew.
        const answers = await Promise.all(resting.map((one) => this.#isWhole(one).catch(() => null)));
        if (answers.includes(false)) return false;
        if (!answers.includes(null)) return true;
      }
      await pause(ASK_MS, generation);
    }
    return false;
  }

  /** The record that was read last is there, or was compacted away since. */
  async #isWhole({ topic, partition, lastRead }: OwnedPartition): Promise<boolean> {
    if (lastRead === null) return true;
    const found = await this.#parts.cluster.recordFrom(topic, partition, lastRead.offset);
    if (found === null) return false;
    return found.offset > lastRead.offset || proofOf(found) === lastRead.proof;
  }
}

import type { OwnedPartition, OwnedPartitions } from './owned-partitions.js';
import type { PartitionFeed } from './partition-feed.js';
import { pause } from './timing.js';

const ASK_MS = 200;
/** A broker that has just started may not know its topics for a moment. */
const MISSING_MS = 3_000;

export interface TopicDoubtParts {
  readonly owned: OwnedPartitions;
  readonly feed: PartitionFeed;
  /** Ids of the topics as the brokers tell them now; a topic that is missing is left out. */
  readonly ask: () => Promise<ReadonlyMap<string, string>>;
}

/**
 * What to do when the broker did not know a topic for a moment, or a connection broke and there is one again. kafkajs reads
 * on where it was; but the topic may be another one by then, or the whole Kafka, whose first records would be passed over. So
 * nothing is handed over until the topics' ids are known to be what they were.
 */
export class TopicDoubt {
  readonly #parts: TopicDoubtParts;
  readonly #lost: () => void;
  /** The generation in which ids are asked for. */
  #raisedIn: AbortSignal | null = null;
  /** Raised again meanwhile: the answer may be of before. */
  #again = false;

  /** `lost`: one of the topics is another one, or gone. */
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
      isSame = await this.#isSame(known, generation);
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

  async #isSame(known: ReadonlyMap<string, string>, generation: AbortSignal): Promise<boolean> {
    const giveUpAt = performance.now() + MISSING_MS;
    while (!generation.aborted && known.size > 0 && performance.now() < giveUpAt) {
      const now = await this.#parts.ask().catch(() => new Map<string, string>());
      if ([...known.keys()].every((topic) => now.has(topic))) {
        return [...known].every(([topic, id]) => now.get(topic) === id);
      }
      await pause(ASK_MS, generation);
    }
    return false;
  }
}

export interface OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Records may be handed over. */
  open: boolean;
  /** The sink was told of it, and must be told when it goes. */
  handedOut: boolean;
  /** True when the router has paused it. */
  paused: boolean;
  /** What comes next cannot be read; it is tried again after a pause. */
  unreadable: boolean;
  /** A record below it means that the partition started over. */
  nextOffset: number;
  /** The last record that was handed over; null: none was. */
  lastRead: { readonly offset: number; readonly proof: string } | null;
  /** Where the sink wants to begin; null: where the group has committed. */
  startOffset: number | null;
}

/**
 * Partitions that the group has given to this member, and how far each is on its way into the router's hands and out of
 * them.
 */
export class OwnedPartitions {
  readonly #topics = new Map<string, Map<number, OwnedPartition>>();

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  assign(assignment: Readonly<Record<string, readonly number[]>>): void {
    this.clear();
    for (const [topic, partitions] of Object.entries(assignment)) {
      const owned = partitions.map((partition) => ({
        topic,
        partition,
        open: false,
        handedOut: false,
        paused: false,
        unreadable: false,
        nextOffset: 0,
        lastRead: null,
        startOffset: null,
      }));
      this.#topics.set(topic, new Map(owned.map((entry) => [entry.partition, entry])));
    }
  }

  /** Ends the handing over; commits are still allowed. */
  shut(): void {
    for (const owned of this.all()) owned.open = false;
  }

  clear(): void {
    this.#topics.clear();
  }

  /** Lists the partitions that the sink was told of and must be told of again when they go. */
  handedOut(): { topic: string; partition: number }[] {
    return this.all()
      .filter((owned) => owned.handedOut)
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  all(): OwnedPartition[] {
    return [...this.#topics.values()].flatMap((partitions) => [...partitions.values()]);
  }

  byTopic(): { topic: string; partitions: number[] }[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
  }
}

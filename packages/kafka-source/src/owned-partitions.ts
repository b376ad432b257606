interface OwnedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Records may be handed over. */
  open: boolean;
  /** By the router. */
  paused: boolean;
  /** A record below it means that the partition started over. */
  nextOffset: number;
}

/** What the group has given to this member, and how far each is on its way into the router's hands and out of them. */
export class OwnedPartitions {
  readonly #topics = new Map<string, Map<number, OwnedPartition>>();
  #handedOut = false;

  get(topic: string, partition: number): OwnedPartition | undefined {
    return this.#topics.get(topic)?.get(partition);
  }

  assign(assignment: Readonly<Record<string, readonly number[]>>): void {
    this.clear();
    for (const [topic, partitions] of Object.entries(assignment)) {
      const owned = partitions.map((partition) => ({ topic, partition, open: false, paused: false, nextOffset: 0 }));
      this.#topics.set(topic, new Map(owned.map((entry) => [entry.partition, entry])));
    }
  }

  /** Nothing more is handed over; commits are still allowed. */
  shut(): void {
    for (const owned of this.all()) owned.open = false;
  }

  clear(): void {
    this.#topics.clear();
    this.#handedOut = false;
  }

  markHandedOut(): void {
    this.#handedOut = true;
  }

  /** Those that the sink was told of and must be told of again when they go. */
  handedOut(): { topic: string; partition: number }[] {
    return this.#handedOut ? this.all().map(({ topic, partition }) => ({ topic, partition })) : [];
  }

  all(): OwnedPartition[] {
    return [...this.#topics.values()].flatMap((partitions) => [...partitions.values()]);
  }

  byTopic(): { topic: string; partitions: number[] }[] {
    return [...this.#topics].map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
  }
}

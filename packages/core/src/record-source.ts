/**
 * The driver's seam to Kafka. The driver owns group membership and fetching; the router owns order, settlement and what
 * to commit. *Topic* here is Kafka's name of it.
 */
export interface RecordSource {
  /**
   * Joins the group and begins to hand over records. Resolves when the driver is running; it heals itself afterwards
   * (broker restart, crash, topics that appear later). Topics that don't exist yet are waited for, not an error.
   */
  start(sink: RecordSink): Promise<void>;
  /** Stops fetching the partition at once; records already handed over stay with the router. Idempotent. */
  pause(topic: string, partition: number): void;
  resume(topic: string, partition: number): void;
  /** `offset` is the next one to read (Kafka's convention). Rejects when the group no longer owns the partition. */
  commit(offsets: readonly PartitionOffset[]): Promise<void>;
  /**
   * Reads again what was written to a topic since the group's very first start (as far as Kafka keeps it), beside the
   * group and whatever is committed. Resolves to the end of each partition: all records before it were given to `take`, in
   * order within a partition. Rejects when Kafka can't be asked now; records may have been given then.
   */
  readAgain(
    topic: string,
    take: (partition: number, records: readonly SourceRecord[]) => void,
  ): Promise<PartitionOffset[]>;
  /** What /ready asks. */
  readonly status: RecordSourceStatus;
  /** Leaves the group. The router has drained and committed before. */
  stop(): Promise<void>;
}

export interface RecordSourceStatus {
  /** In the group and in touch with a broker. */
  readonly healthy: boolean;
  /** `start` was called. */
  readonly started: boolean;
  /** Subscribed topics that don't exist on the broker. */
  readonly missingTopics: readonly string[];
}

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** `offset` is where reading begins. */
export interface AssignedPartition extends PartitionOffset {
  /** Offset of the partition's next record when it was assigned (high watermark). */
  readonly endOffset: number;
}

/** The router's side. The driver calls it from one place at a time. */
export interface RecordSink {
  /** Before any record of the partition; the driver waits for it (bounded) before it fetches. */
  assigned(partitions: readonly AssignedPartition[]): Promise<void>;
  /**
   * The group takes the partitions away (or is about to stop). The driver waits (bounded by the rebalance) so that
   * settled offsets can still be committed; nothing of these partitions is handed over afterwards.
   */
  revoked(partitions: readonly { topic: string; partition: number }[]): Promise<void>;
  /** In order of offset; returns at once. Compacted or aborted offsets may be missing between two records. */
  records(topic: string, partition: number, records: readonly SourceRecord[], endOffset: number): void;
}

/** Kafka's headers may have no value (null), and several of one name (a list). */
export type HeaderValue = OneHeaderValue | readonly OneHeaderValue[] | undefined;
type OneHeaderValue = Uint8Array | string | null;

export interface SourceRecord {
  readonly offset: number;
  /** ms since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, HeaderValue>>;
}

/** Writes records: dead letters, presence events, client messages. Resolves when the broker has acknowledged all. */
export interface RecordWriter {
  write(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
  stop(): Promise<void>;
}

export interface OutgoingRecord {
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, HeaderValue>>;
}

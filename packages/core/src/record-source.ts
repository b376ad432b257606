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
  /**
   * The next record handed over of the partition is the one at this offset, or the first one behind it. Called while
   * `assigned` is waited for, it stands in for the partition's own beginning.
   */
  seek(topic: string, partition: number, offset: number): void;
  /** `offset` is the next one to read (Kafka's convention). Rejects when the group no longer owns the partition. */
  commit(offsets: readonly CommittedOffset[]): Promise<void>;
  /** The first record at the offset or behind it; null where the log ends before. Rejects when Kafka cannot be asked now. */
  recordFrom(topic: string, partition: number, offset: number): Promise<SourceRecord | null>;
  /**
   * Reads again what a topic holds, from its first record on, beside the group and whatever is committed. Resolves to the end of each partition: all records before it were given to `take`, in
   * order within a partition. Rejects when Kafka cannot be asked now; records may have been given then.
   */
  readAgain(
    topic: string,
    take: (partition: number, records: readonly SourceRecord[]) => void,
  ): Promise<PartitionOffset[]>;
  /** Status for /ready. */
  readonly status: RecordSourceStatus;
  /** What the group calls this member; null while it has no name yet. It may have one before it has joined. */
  readonly member: string | null;
  /**
   * Takes another member out of the group, so that its partitions need not wait for the end of its session. One that lives
   * joins again by itself; one that has left already is no error. Works while this member waits to join.
   */
  evict(member: string): Promise<void>;
  /** Leaves the group. The router has drained and committed before. */
  stop(): Promise<void>;
}

export interface RecordSourceStatus {
  /** True when it is in the group and in touch with a broker. */
  readonly healthy: boolean;
  /** `start` was called. */
  readonly started: boolean;
  /** What keeps single topics from being read while the others flow. */
  readonly troubles: readonly TopicTroubleState[];
}

export interface TopicTroubleState {
  readonly topic: string;
  readonly reason: TopicTroubleReason;
}

/** `unread`: no member of the group reads one of its partitions. */
export type TopicTroubleReason = 'missing' | 'forbidden' | 'unreadable' | 'unread';

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface CommittedOffset extends PartitionOffset {
  /** Comes back with the partition, to whichever member of the group. Less than 200 characters. */
  readonly note: string;
}

/** `offset` is where reading begins, unless `seek` is called. */
export interface AssignedPartition extends PartitionOffset {
  /** What the group has committed, however far that is from what the log holds now; null: nothing. */
  readonly committed: CommittedOffset | null;
  /** Offset of the first record that is kept. */
  readonly beginOffset: number;
  /** Offset of the partition's next record when it was assigned (high watermark). */
  readonly endOffset: number;
  /** The broker's own identity of the topic, which another one of the same name has not; '' where it gives none. */
  readonly log: string;
  /** Id of the Kafka cluster; '' where it gives none. */
  readonly cluster: string;
}

/** How far the partition was read, and how far it goes. */
export interface ReadUpTo {
  /** Behind all that was handed over and all that the log holds besides (transaction markers, aborted records). */
  readonly nextOffset: number;
  /** High watermark. */
  readonly endOffset: number;
}

/** The router's side. The driver calls it from one place at a time. */
export interface RecordSink {
  /**
   * The group has given this member its name, see RecordSource.member, and knows it from the next request on: should it
   * die now, the others wait for it. The driver waits for this (bounded) before it joins. Never rejects.
   */
  joining(): Promise<void>;
  /** Announces partitions before any record of them; the driver waits for it (bounded) before it fetches. */
  assigned(partitions: readonly AssignedPartition[]): Promise<void>;
  /**
   * The group takes the partitions away (or is about to stop). The driver waits (bounded by the rebalance) so that
   * settled offsets can still be committed; nothing of these partitions is handed over afterwards.
   */
  revoked(partitions: readonly { topic: string; partition: number }[]): Promise<void>;
  /**
   * Hands records over in order of offset; returns at once. Compacted or aborted offsets may be missing between two
   * records; there may be no record at all where the log holds none up to `nextOffset`.
   */
  records(topic: string, partition: number, records: readonly SourceRecord[], upTo: ReadUpTo): void;
  /**
   * The group's lasting memory of its topics, which Kafka does not give: keeps each sight of a topic that was never seen
   * before, and any that says `begun`. Resolves to what is kept now, in the order asked; rejects when that cannot be said.
   */
  sighted(sights: readonly TopicSight[]): Promise<readonly TopicSight[]>;
}

/** How a group first saw a topic that it was told to read, and when; `begun`: it has begun to read it. */
export interface TopicSight {
  readonly topic: string;
  readonly state: 'there' | 'missing' | 'forbidden' | 'begun';
  /** Time of this sight, ms since the epoch. */
  readonly atMs: number;
}

/** Kafka's headers may have no value (null), and several of one name (a list). */
export type HeaderValue = OneHeaderValue | readonly OneHeaderValue[] | undefined;
type OneHeaderValue = Uint8Array | string | null;

export interface SourceRecord {
  readonly offset: number;
  /** Time of the record, ms since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, HeaderValue>>;
}

/**
 * Writes records: dead letters, presence events, client messages. Resolves when the broker has acknowledged all. Rejects
 * with an error whose `retryable` is false when the same records would be refused again; its `code` says why in our words,
 * its `reason` in Kafka's.
 */
export interface RecordWriter {
  write(topic: string, records: readonly OutgoingRecord[]): Promise<void>;
  stop(): Promise<void>;
}

export interface OutgoingRecord {
  readonly key: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?: Readonly<Record<string, HeaderValue>>;
}

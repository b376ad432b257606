import type { Consumer, ConsumerGroupJoinEvent } from 'kafkajs';
import { endByDefect, type AssignedPartition, type CommittedOffset, type SourceRecord } from '@ws-gateway/core';
import { createClient, PATIENT_RETRY } from './client.js';
import { ConsumerCluster, type PartitionRange } from './consumer-cluster.js';
import { errorFields, errorLabel, KafkaError, toKafkaError } from './errors.js';
import { JoinWatch } from './join-watch.js';
import { OffsetCommitter } from './offset-committer.js';
import type { GroupMemberOptions, GroupMemberParts } from './group-member-parts.js';
import { OwnedPartitions, type OwnedPartition } from './owned-partitions.js';
import { PartitionFeed } from './partition-feed.js';
import { TopicDoubt } from './topic-doubt.js';
import { pause, withDeadline } from './timing.js';

/** Time in ms between two heartbeats: by its next one a member hears of a rebalance, which waits for it. */
const HEARTBEAT_INTERVAL_MS = 300;
/** See docs/kafkajs.md, rule 2. 256 KiB a partition keeps the event loop's longest block near 100 ms. */
const FETCH_WAIT_MS = 100;
const FETCH_BYTES_PER_PARTITION = 256 * 1024;
const FETCH_BYTES = 4 * 1024 * 1024;
const METADATA_AGE_MS = 5_000;
/** Handlers return at once, so this only has to be enough that one waiting for its heartbeat holds up no other. */
const HANDLERS = 16;

/**
 * Time in ms that the router may take to settle and commit. Heartbeats rest meanwhile, so it is far below the session
 * timeout.
 */
const REVOKE_TIMEOUT_MS = 3_000;
const JOINING_TIMEOUT_MS = 1_000;
const ASSIGN_TIMEOUT_MS = 10_000;
const STOP_TIMEOUT_MS = 2_000;
const RETRY_DELAY_MS = 200;

const SILENCE_MAX_MS = 10_000;
/** A join can wait for a killed member's session to end. */
const SILENT_JOIN_MAX_MS = 25_000;

type EndReason = 'crashed' | 'position_lost' | 'join_given_up';

/**
 * One life of a kafkajs consumer, from joining the group to leaving it. After a crash, or to change its topics, it is
 * closed and another one made.
 *
 * kafkajs rebalances eagerly, and after a join fetches kept partitions from the committed offset again. So the sink gets
 * one simple story: before every join all its partitions are revoked, after it all are assigned, and each starts again at
 * the committed offset. Between the two nothing is fetched: partitions are paused in the moment of joining.
 */
export class ConsumerGroupMember {
  readonly #parts: GroupMemberParts;
  readonly #options: GroupMemberOptions;
  readonly #cluster = new ConsumerCluster({
    beforeJoin: () => this.#beforeJoin(),
    memberIdGiven: (memberId) => this.#named(memberId),
    logsDoubtful: () => this.#doubtTopics(),
  });
  readonly #consumer: Consumer;
  readonly #feed: PartitionFeed;
  readonly #doubt: TopicDoubt;
  readonly #committer: OffsetCommitter;
  readonly #retired = new AbortController();
  readonly #owned = new OwnedPartitions();
  readonly #ended = Promise.withResolvers<EndReason>();
  readonly #ready = Promise.withResolvers<void>();
  #memberId: string | null = null;
  /** Ids of the topics, as they were when the partitions were assigned. */
  #topicIds: ReadonlyMap<string, string> = new Map();
  #lastContact = performance.now();
  readonly #join = new JoinWatch();
  /** An assignment was prepared: at least once the group's positions were known. */
  #prepared = false;
  #closing = false;
  #crashed = false;
  /** Aborted when the assignment that is being prepared is outdated by the next join. */
  #generation = new AbortController();
  #preparing: Promise<void> = Promise.resolve();
  #releasing: Promise<void> | null = null;

  constructor(parts: GroupMemberParts, options: GroupMemberOptions) {
    this.#parts = parts;
    this.#options = options;
    // A broker that gives topics no ids can tell nothing apart.
    const reconnected = () => this.#topicIds.size > 0 && this.#doubtTopics();
    const client = createClient(parts.connection, { retry: PATIENT_RETRY, retired: this.#retired.signal, reconnected });
    this.#consumer = client.consumer({
      groupId: options.groupId,
      partitionAssigners: [this.#cluster.assigner],
      sessionTimeout: options.sessionTimeoutMs,
      heartbeatInterval: HEARTBEAT_INTERVAL_MS,
      maxWaitTimeInMs: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytesPerPartition: FETCH_BYTES_PER_PARTITION,
      maxBytes: FETCH_BYTES,
      metadataMaxAge: METADATA_AGE_MS,
      allowAutoTopicCreation: false,
      // A crashed consumer is replaced by the record source, not restarted by kafkajs: one way of healing for all causes.
      retry: { ...PATIENT_RETRY, restartOnFailure: async () => false },
    });
    const feed = { ...parts, consumer: this.#consumer, owned: this.#owned };
    this.#feed = new PartitionFeed(feed, () => this.#ended.resolve('position_lost'));
    const doubted = { ...feed, feed: this.#feed, cluster: this.#cluster, topics: options.topics };
    this.#doubt = new TopicDoubt(doubted, () => this.#ended.resolve('position_lost'));
    this.#committer = new OffsetCommitter(this.#consumer, parts.trouble);
    this.#listen();
  }

  /** Resolves when the first assignment is in the router's hands; never, when the member ends before. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Resolves when this member has come to an end by itself. Close it then. */
  get ended(): Promise<EndReason> {
    return this.#ended.promise;
  }

  /**
   * Heartbeats succeed only within the group and with a broker; kafkajs' FETCH event also follows failed fetches. Not
   * before the start positions are committed: what is written then would be skipped, and nobody expects it of a node that
   * says it is ready.
   */
  get healthy(): boolean {
    if (this.#closing || this.#crashed || !this.#prepared) return false;
    return this.silentMs < (this.#join.joining ? SILENT_JOIN_MAX_MS : SILENCE_MAX_MS);
  }

  get silentMs(): number {
    return performance.now() - this.#lastContact;
  }

  /** Its id in the group, from the moment at which the group is to know it. */
  get memberId(): string | null {
    return this.#memberId;
  }

  async start(): Promise<void> {
    await this.#consumer.connect();
    if (this.#options.predecessor !== null) await this.#leaveAs(this.#options.predecessor);
    // `fromBeginning` decides where kafkajs continues when an offset is out of range while running.
    await this.#consumer.subscribe({ topics: [...this.#options.topics], fromBeginning: true });
    await this.#consumer.run({
      // kafkajs' own commits cost a round trip a batch, and the router alone knows what is settled (docs/kafkajs.md, rule 2).
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: HANDLERS,
      eachBatch: async (payload) => this.#feed.handOver(payload),
    });
  }

  pause(topic: string, partition: number): void {
    const owned = this.#owned.get(topic, partition);
    if (!owned || owned.paused) return;
    owned.paused = true;
    this.#feed.steer(owned);
  }

  resume(topic: string, partition: number): void {
    const owned = this.#owned.get(topic, partition);
    if (!owned?.paused) return;
    owned.paused = false;
    this.#feed.steer(owned);
  }

  /** See RecordSource.seek. */
  seek(topic: string, partition: number, offset: number): void {
    const owned = this.#owned.get(topic, partition);
    if (!owned) return;
    owned.startOffset = offset;
    if (owned.open) this.#feed.startAt(owned, offset);
  }

  /**
   * Commits, one request at a time: kafkajs repeats a commit that met a dead connection, and an older one must not
   * overtake a newer one. Rejects late ones, which then are not sent any more.
   */
  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    for (const { topic, partition } of offsets) {
      if (!this.#owned.get(topic, partition)) {
        throw new KafkaError('not_owned', `partition ${topic}/${partition} belongs to another member`);
      }
    }
    const isOwned = () => offsets.every(({ topic, partition }) => this.#owned.get(topic, partition));
    await this.#committer.commit(offsets, () => !this.#crashed && isOwned());
  }

  /** See ConsumerCluster.read. */
  read(range: PartitionRange, take: (records: readonly SourceRecord[]) => void): Promise<number> {
    return this.#cluster.read(range, take);
  }

  /** Tells whether one of its topics was deleted and made again, perhaps so fast that kafkajs read on in it. */
  async hasOtherTopics(): Promise<boolean> {
    const now = await this.#cluster.topicIds(this.#options.topics);
    return [...this.#topicIds].some(([topic, id]) => now.has(topic) && now.get(topic) !== id);
  }

  /** See ConsumerCluster.recordFrom. */
  recordFrom(topic: string, partition: number, offset: number): Promise<SourceRecord | null> {
    return this.#cluster.recordFrom(topic, partition, offset);
  }

  /** No more records, the router settles and commits, then the group is left (docs/kafkajs.md, rule 5). */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    await this.#release();
    const stopping = this.#consumer.disconnect();
    try {
      await withDeadline(stopping, STOP_TIMEOUT_MS, 'stopping the consumer');
      // kafkajs leaves only where its JoinGroup was answered.
      if (this.#join.joining && this.#memberId !== null) await this.#leaveAs(this.#memberId);
    } catch (error) {
      // It waits for the fetch loop, which may hang in a retry. The group at least must not wait for this member.
      this.#parts.logger.warn('kafka consumer does not stop, leaving the group without it', errorFields(error));
      if (this.#memberId !== null) await this.#leaveAs(this.#memberId);
      this.#retired.abort();
      await withDeadline(stopping, STOP_TIMEOUT_MS, 'stopping the consumer').catch((late: unknown) =>
        this.#parts.logger.warn('kafka consumer still does not stop', errorFields(late)),
      );
    }
  }

  async #leaveAs(memberId: string): Promise<void> {
    await this.#parts.exit
      .leave(memberId)
      .catch((error: unknown) => this.#parts.logger.debug('kafka group not left', errorFields(error)));
  }

  #listen(): void {
    const { events } = this.#consumer;
    this.#consumer.on(events.GROUP_JOIN, ({ payload }) => this.#joined(payload));
    this.#consumer.on(events.HEARTBEAT, () => {
      this.#lastContact = performance.now();
      if (!this.#join.heard() || this.#closing) return;
      this.#parts.logger.warn('kafka group was not joined, joining it again', {});
      this.#ended.resolve('join_given_up');
    });
    this.#consumer.on(events.CRASH, ({ payload }) => {
      this.#crashed = true;
      if (this.#closing) return;
      const { logger } = this.#parts;
      const passing = toKafkaError(payload.error).retryable;
      logger[passing ? 'warn' : 'error']('kafka consumer crashed and is replaced', errorFields(payload.error));
      this.#parts.stats?.kafkaErrors.add(errorLabel(payload.error));
      this.#ended.resolve('crashed');
    });
  }

  /** Those that are read here: what others read is none of this member's concern. */
  #doubtTopics(): void {
    if (this.#closing || this.#join.joining) return;
    const known = new Map([...this.#topicIds].filter(([topic]) => this.#options.topics.includes(topic)));
    this.#doubt.raise(known, this.#generation.signal).catch(endByDefect);
  }

  /** Called by kafkajs before each JoinGroup, a repeated one too. */
  async #beforeJoin(): Promise<void> {
    this.#join.begin();
    await this.#release();
    // A consumer that was given up must not come back into the group. kafkajs does not repeat what fails like this.
    if (this.#closing) throw new RangeError('the group member is closed');
  }

  /** Takes all partitions back from the sink, once; the calls to the sink never overlap. */
  #release(): Promise<void> {
    this.#releasing ??= this.#releaseNow().finally(() => {
      this.#releasing = null;
    });
    return this.#releasing;
  }

  async #releaseNow(): Promise<void> {
    this.#generation.abort();
    this.#owned.shut();
    await this.#preparing;
    const revoked = this.#owned.handedOut();
    if (revoked.length > 0) {
      await this.#callSink('revoked', REVOKE_TIMEOUT_MS, async () => this.#parts.sink.revoked(revoked));
    }
    this.#owned.clear();
    this.#parts.trouble.forget();
  }

  #named(memberId: string): Promise<void> {
    this.#memberId = memberId;
    return this.#callSink('joining', JOINING_TIMEOUT_MS, async () => this.#parts.sink.joining());
  }

  /** Synchronous up to the pause: kafkajs fetches as soon as this returns. */
  #joined(join: ConsumerGroupJoinEvent['payload']): void {
    // A broker of before Kafka 2.2 gives no name before the join.
    if (this.#memberId !== join.memberId) this.#named(join.memberId).catch(endByDefect);
    this.#lastContact = performance.now();
    this.#join.end();
    this.#generation = new AbortController();
    this.#feed.begin(this.#generation.signal);
    this.#owned.assign(join.memberAssignment);
    this.#consumer.pause(this.#owned.byTopic());
    if (this.#closing) return;
    this.#preparing = this.#prepare(join.isLeader, this.#generation.signal).catch((error: unknown) =>
      // Only a consumer that crashed in the meantime throws here; its successor begins anew.
      this.#parts.logger.warn('kafka assignment was not prepared', errorFields(error)),
    );
  }

  /** Hands the partitions to the sink; those whose beginning is not known yet don't keep the others waiting. */
  async #prepare(isLeader: boolean, signal: AbortSignal): Promise<void> {
    const { logger } = this.#parts;
    let rest = this.#owned.all();
    do {
      const starts = await this.#findStarts(rest, isLeader, signal);
      if (!starts) return;
      if (starts.length > 0) await this.#handOut(starts, signal);
      if (signal.aborted) return;
      if (!this.#prepared) logger.info('kafka group joined', { partitions: starts.length, leader: isLeader });
      this.#prepared = true;
      this.#ready.resolve();
      rest = rest.filter(({ handedOut }) => !handedOut);
    } while (rest.length > 0);
  }

  async #handOut(starts: readonly AssignedPartition[], signal: AbortSignal): Promise<void> {
    for (const { topic, partition } of starts) {
      const owned = this.#owned.get(topic, partition);
      if (owned) owned.handedOut = true;
    }
    await this.#callSink('assigned', ASSIGN_TIMEOUT_MS, async () => this.#parts.sink.assigned(starts));
    if (signal.aborted) return;
    for (const { topic, partition, offset } of starts) {
      const owned = this.#owned.get(topic, partition);
      if (!owned) continue;
      owned.open = true;
      this.#feed.startAt(owned, owned.startOffset ?? offset);
    }
  }

  async #findStarts(
    partitions: readonly OwnedPartition[],
    isLeader: boolean,
    signal: AbortSignal,
  ): Promise<AssignedPartition[] | null> {
    const { positions, logger, sink } = this.#parts;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        const topics = this.#options.topics;
        const logs = await this.#cluster.topicIds([...new Set([...topics, ...this.#cluster.groupTopics])]);
        this.#topicIds = logs;
        const isValid = (): boolean => !this.#crashed && !signal.aborted;
        const commit = (offsets: readonly CommittedOffset[]) => this.#committer.commit(offsets, isValid);
        if (isLeader) {
          const others = this.#cluster.groupTopics.filter((topic) => !topics.includes(topic));
          await positions.commitMissing({ topics, others, logs, sink, commit });
        }
        const starts = await positions.of(partitions, { logs, cluster: this.#cluster.clusterId }, signal);
        // A topic that was made again meanwhile would be read under the id of the old one, and then once more.
        const now = await this.#cluster.topicIds(topics);
        if (topics.every((topic) => now.get(topic) === logs.get(topic))) return starts;
      } catch (error) {
        const level = attempt === 0 ? 'warn' : 'debug';
        if (!signal.aborted) logger[level]('kafka start positions not known yet', errorFields(error));
        await pause(RETRY_DELAY_MS, signal);
      }
    }
    return null;
  }

  /** A sink that fails or hangs must not keep this member out of its group. */
  async #callSink(name: string, timeoutMs: number, call: () => Promise<void>): Promise<void> {
    await withDeadline(call(), timeoutMs, name).catch((error: unknown) =>
      this.#parts.logger.error('kafka sink did not take the change of partitions', {
        call: name,
        ...errorFields(error),
      }),
    );
  }
}

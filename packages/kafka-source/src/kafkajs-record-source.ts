import {
  endByDefect,
  type CommittedOffset,
  type Logger,
  type PartitionOffset,
  type RecordSink,
  type RecordSource,
  type RecordSourceStatus,
  type SourceRecord,
  type TopicSight,
  type TopicTroubleReason,
} from '@ws-gateway/core';
import { ClusterAdmin, type TopicStatus } from './cluster-admin.js';
import { errorFields, errorLabel, KafkaError, toKafkaError } from './errors.js';
import { GroupExit } from './group-exit.js';
import { ConsumerGroupMember } from './consumer-group-member.js';
import type { KafkajsRecordSourceOptions } from './options.js';
import { StartPositions } from './start-positions.js';
import { aborted, pause } from './timing.js';
import { TopicTrouble } from './topic-trouble.js';

/**
 * Time in ms that the partitions of a killed router rest when no other router has seen its death (router/group-watch.ts).
 * A false alarm costs a rebalance and nothing else, since what is read twice is recognised; brokers allow 6 s at least.
 */
const DEFAULT_SESSION_TIMEOUT_MS = 8_000;
/** Time in ms between two looks at topics: one that appears or vanishes is noticed within this. */
const TOPIC_CHECK_MS = 5_000;
/** `start` returns after this even if Kafka is away: a node must be able to say so in /ready. */
const START_TIMEOUT_MS = 10_000;
const RETRY_MIN_MS = 250;
const RETRY_MAX_MS = 2_000;
/** The topic check went through in the last so many ms. */
const CONTACT_MAX_MS = 10_000;
/** How long a member that was well may take to be followed by another one, because topics came or went. */
const REPLACE_MS = 10_000;
/** The brokers answer, but the consumer has not been heard of: it hangs and is replaced. */
const STALL_MAX_MS = 20_000;

/**
 * RecordSource over kafkajs. Heals by one rule: whatever ends a group member (a crash, topics that came or went, a
 * partition that started over, a hang), it is closed and another one made, for ever.
 */
export class KafkajsRecordSource implements RecordSource {
  readonly #options: KafkajsRecordSourceOptions;
  readonly #logger: Logger;
  readonly #admin: ClusterAdmin;
  readonly #positions: StartPositions;
  readonly #exit: GroupExit;
  readonly #stop = new AbortController();
  readonly #started = Promise.withResolvers<void>();
  /** Run under way; null before the start. */
  #running: Promise<void> | null = null;
  #member: ConsumerGroupMember | null = null;
  #lastMember: string | null = null;
  readonly #trouble: TopicTrouble;
  /** Topics that exist and may be read, as of the last check. */
  #readable: readonly string[] = [];
  /** Topics that some partition of was read by nobody at the last look. */
  #unread: ReadonlySet<string> = new Set();
  /** First and last successful check in a row. */
  #contactSince = 0;
  #lastContact = Number.NEGATIVE_INFINITY;
  #failing = false;
  /** Time until which the group counts as joined, because the member before was well and its place is being taken. */
  #followedUntil = Number.NEGATIVE_INFINITY;

  constructor(options: KafkajsRecordSourceOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#admin = new ClusterAdmin(options);
    const { groupId, fromBeginning, wholeTopics = [] } = options;
    const deps = { admin: this.#admin, logger: this.#logger };
    this.#positions = new StartPositions(deps, { groupId, fromBeginning, wholeTopics });
    this.#exit = new GroupExit(options, groupId);
    this.#trouble = new TopicTrouble(this.#logger, options.stats);
  }

  get status(): RecordSourceStatus {
    const inTouch = performance.now() - this.#lastContact < CONTACT_MAX_MS;
    const troubles = this.#trouble.all;
    const refused = new Set(
      troubles.filter(({ reason }) => reason !== 'missing' && reason !== 'unread').map(({ topic }) => topic),
    );
    // Of topics that are made later nothing is kept back; of topics that cannot be read there is.
    const flows = refused.size === 0 || this.#options.topics.some((topic) => !refused.has(topic));
    const isFollowed = performance.now() < this.#followedUntil;
    const reads = this.#member?.healthy ?? (this.#readable.length === 0 && inTouch);
    const healthy = flows && (reads || isFollowed);
    return { started: this.#running !== null, healthy, troubles };
  }

  get member(): string | null {
    return this.#member?.memberId ?? null;
  }

  /** Resolves when the first assignment is with the sink, or at the latest after ten seconds; `status` tells which. */
  async start(sink: RecordSink): Promise<void> {
    this.#running = this.#run(sink);
    const waiting = new AbortController();
    await Promise.race([this.#started.promise, pause(START_TIMEOUT_MS, waiting.signal)]);
    waiting.abort();
  }

  pause(topic: string, partition: number): void {
    this.#member?.pause(topic, partition);
  }

  resume(topic: string, partition: number): void {
    this.#member?.resume(topic, partition);
  }

  seek(topic: string, partition: number, offset: number): void {
    this.#member?.seek(topic, partition, offset);
  }

  async commit(offsets: readonly CommittedOffset[]): Promise<void> {
    if (offsets.length === 0) return;
    if (!this.#member) throw new KafkaError('not_owned', 'not in the group');
    try {
      await this.#member.commit(offsets);
    } catch (error) {
      this.#options.stats?.kafkaErrors.add(errorLabel(error));
      throw error;
    }
  }

  async recordFrom(topic: string, partition: number, offset: number): Promise<SourceRecord | null> {
    if (!this.#member) throw new KafkaError('not_owned', 'not in the group');
    try {
      return await this.#member.recordFrom(topic, partition, offset);
    } catch (error) {
      throw toKafkaError(error);
    }
  }

  async evict(member: string): Promise<void> {
    await this.#exit.leave(member).catch((error: unknown) => Promise.reject(toKafkaError(error)));
  }

  async readAgain(
    topic: string,
    take: (partition: number, records: readonly SourceRecord[]) => void,
  ): Promise<PartitionOffset[]> {
    const ends: PartitionOffset[] = [];
    for (const { partition, begin } of await this.#positions.bounds(topic)) {
      if (!this.#member) throw new KafkaError('not_owned', 'not in the group');
      const range = { topic, partition, begin };
      const read = this.#member.read(range, (records) => take(partition, records));
      ends.push({
        topic,
        partition,
        offset: await read.catch((error: unknown) => Promise.reject(toKafkaError(error))),
      });
    }
    return ends;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#started.resolve();
    await this.#running;
    await this.#admin.close();
  }

  async #run(sink: RecordSink): Promise<void> {
    let delayMs = RETRY_MIN_MS;
    while (!this.#stop.signal.aborted) {
      const began = performance.now();
      await this.#serve(sink).catch((error: unknown) => this.#failed(error));
      // What crashes as soon as it runs (no right to the group, say) must not become a loop of joins.
      delayMs = performance.now() - began >= TOPIC_CHECK_MS ? RETRY_MIN_MS : Math.min(delayMs * 2, RETRY_MAX_MS);
      await pause(delayMs, this.#stop.signal);
    }
  }

  /** Serves one member's life, or looks once when there is no topic yet. */
  async #serve(sink: RecordSink): Promise<void> {
    const topics = await this.#findTopics(sink);
    if (topics.length === 0) {
      this.#started.resolve();
      await pause(TOPIC_CHECK_MS, this.#stop.signal);
      return;
    }
    const { groupId, sessionTimeoutMs = DEFAULT_SESSION_TIMEOUT_MS, stats } = this.#options;
    const member = new ConsumerGroupMember(
      {
        connection: this.#options,
        positions: this.#positions,
        exit: this.#exit,
        trouble: this.#trouble,
        sink,
        logger: this.#logger,
        stats,
      },
      { groupId, topics, sessionTimeoutMs, predecessor: this.#lastMember },
    );
    this.#member = member;
    member.ready.then(() => this.#started.resolve()).catch(endByDefect);
    const ended = new AbortController();
    const signal = AbortSignal.any([ended.signal, this.#stop.signal]);
    try {
      const starting = member.start().then(() => member.ended);
      const end = await Promise.race([starting, this.#watch(member, { topics, sink }, signal), aborted(signal)]);
      // Of a consumer that crashed nobody knows whether the next one can do better.
      if (end !== 'crashed' && member.healthy && !this.#stop.signal.aborted)
        this.#followedUntil = performance.now() + REPLACE_MS;
    } finally {
      ended.abort();
      await member.close();
      this.#lastMember = member.memberId ?? this.#lastMember;
      this.#member = null;
    }
  }

  /** Resolves when the member must be replaced: its topics have changed, or it hangs. */
  async #watch(
    member: ConsumerGroupMember,
    { topics, sink }: { topics: readonly string[]; sink: RecordSink },
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      await pause(TOPIC_CHECK_MS, signal);
      if (signal.aborted) return;
      try {
        const found = await this.#findTopics(sink);
        if (found.join() !== topics.join()) {
          this.#logger.info('kafka topics changed, joining the group again', { topics: found });
          return;
        }
        if (await member.hasOtherTopics()) {
          this.#logger.warn('kafka topic was made again, joining the group again', { topics: found });
          return;
        }
      } catch (error) {
        this.#failed(error);
        continue;
      }
      // Counted from when Kafka answered again: after an outage the consumer needs a moment longer than the topic check.
      const silentMs = Math.min(member.silentMs, this.#lastContact - this.#contactSince);
      if (silentMs > STALL_MAX_MS) {
        this.#logger.error('kafka consumer hangs and is replaced', { silentMs });
        return;
      }
    }
  }

  /** The topics that exist and may be read, and notes the others; makes them first if it may. */
  async #findTopics(sink: RecordSink): Promise<string[]> {
    const { topics, createTopics } = this.#options;
    let states = await this.#admin.checkTopics(topics);
    const missing = states.filter(({ exists, forbidden }) => !exists && !forbidden).map(({ topic }) => topic);
    await this.#noteAbsent(states, sink);
    if (missing.length > 0 && createTopics) {
      const created = await this.#admin.createTopics(missing.map((topic) => ({ topic })));
      if (created.length > 0) this.#logger.info('kafka topics created', { topics: created });
      states = await this.#admin.checkTopics(topics);
    }
    this.#recovered();
    this.#readable = states.filter(({ exists }) => exists).map(({ topic }) => topic);
    const troubles = new Map<string, TopicTroubleReason>();
    for (const topic of await this.#findUnread(states)) troubles.set(topic, 'unread');
    for (const { topic, exists, forbidden } of states) {
      if (!exists) troubles.set(topic, forbidden ? 'forbidden' : 'missing');
    }
    this.#trouble.list(troubles);
    return [...this.#readable];
  }

  /** Where such a topic begins is counted from now: the sink remembers it, also when this process is gone. */
  async #noteAbsent(states: readonly TopicStatus[], sink: RecordSink): Promise<void> {
    const absent = states.filter(({ exists }) => !exists);
    if (absent.length === 0) return;
    const atMs = Date.now();
    const toSight = ({ topic, forbidden }: TopicStatus): TopicSight => {
      return { topic, state: forbidden ? 'forbidden' : 'missing', atMs };
    };
    await sink.sighted(absent.map(toSight)).catch((error: unknown) => {
      this.#logger.debug('topics not noted yet', { error: String(error) });
    });
  }

  /** Topics with a partition that nobody has read for two looks: a rebalance takes less. */
  async #findUnread(states: readonly TopicStatus[]): Promise<string[]> {
    if (this.#member === null) return [];
    const read = await this.#admin.partitionsRead(this.#options.groupId);
    if (read === null) return [...this.#unread];
    const isUnread = ({ topic, partitions }: TopicStatus): boolean =>
      Array.from({ length: partitions }, (_, partition) => `${topic}/${partition}`).some((name) => !read.has(name));
    const now = new Set(states.filter(isUnread).map(({ topic }) => topic));
    const lasting = [...now].filter((topic) => this.#unread.has(topic));
    this.#unread = now;
    return lasting;
  }

  /** An outage is one line at its beginning and one at its end, not one an attempt. */
  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#options.stats?.kafkaErrors.add(errorLabel(error));
    const fields = { code: toKafkaError(error).code, ...errorFields(error) };
    if (this.#failing) this.#logger.debug('kafka still not usable', fields);
    else this.#logger.error('kafka not usable, trying on', fields);
    this.#failing = true;
  }

  #recovered(): void {
    this.#lastContact = performance.now();
    if (this.#failing || this.#contactSince === 0) this.#contactSince = this.#lastContact;
    if (this.#failing) this.#logger.info('kafka usable again');
    this.#failing = false;
  }
}

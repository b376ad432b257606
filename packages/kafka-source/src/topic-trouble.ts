import type { Logger, RouterStats, TopicTroubleReason } from '@ws-gateway/core';
import { errorFields, isForbiddenTopic } from './errors.js';

const REST_MIN_MS = 1_000;
const REST_MAX_MS = 30_000;
/** Of the same topic and reason a line is said again after this. */
const SAY_AGAIN_MS = 60_000;

/**
 * What keeps single topics from being read while the others flow. Each topic and reason is a line in the log when it
 * begins, once a minute as long as it lasts, and one when it is over.
 */
export class TopicTrouble {
  readonly #logger: Logger;
  readonly #stats: Pick<RouterStats, 'topicTroubles'> | undefined;
  /** By topic: why, as the brokers' answers about topics say. */
  #listed = new Map<string, TopicTroubleReason>();
  /** Partitions that rest, as `topic/partition`. */
  readonly #resting = new Map<string, { topic: string; reason: TopicTroubleReason; waitMs: number }>();
  /** By topic and reason: when it was said. */
  readonly #saidMs = new Map<string, number>();

  constructor(logger: Logger, stats?: Pick<RouterStats, 'topicTroubles'>) {
    this.#logger = logger;
    this.#stats = stats;
  }

  /** In the order that they began. */
  get all(): readonly { readonly topic: string; readonly reason: TopicTroubleReason }[] {
    const all = new Map<string, { topic: string; reason: TopicTroubleReason }>();
    for (const [topic, reason] of this.#listed) all.set(`${topic} ${reason}`, { topic, reason });
    for (const { topic, reason } of this.#resting.values()) all.set(`${topic} ${reason}`, { topic, reason });
    return [...all.values()];
  }

  /** What the brokers say about the topics now, and what nobody in the group reads. */
  list(listed: ReadonlyMap<string, TopicTroubleReason>): void {
    for (const [topic, reason] of this.#listed) {
      if (listed.get(topic) !== reason) this.#over(topic, reason);
    }
    this.#listed = new Map(listed);
    for (const [topic, reason] of listed) this.#say(topic, reason, {});
    this.#report();
  }

  /** The broker refuses what concerns the topic alone. */
  forbidden(topic: string): void {
    this.#say(topic, 'forbidden', {});
  }

  /** Says how long the partition should rest before it is tried again. */
  unreadable(topic: string, partition: number, { offset, error }: { offset: number; error: Error }): number {
    const reason = isForbiddenTopic(error) ? 'forbidden' : 'unreadable';
    const key = `${topic}/${partition}`;
    const waitMs = Math.min(REST_MAX_MS, 2 * (this.#resting.get(key)?.waitMs ?? REST_MIN_MS / 2));
    this.#resting.set(key, { topic, reason, waitMs });
    this.#say(topic, reason, { partition, offset, ...errorFields(error) });
    this.#report();
    return waitMs;
  }

  readable(topic: string, partition: number): void {
    const resting = this.#resting.get(`${topic}/${partition}`);
    if (resting === undefined) return;
    this.#resting.delete(`${topic}/${partition}`);
    if (!this.all.some((one) => one.topic === topic && one.reason === resting.reason))
      this.#over(topic, resting.reason);
    this.#report();
  }

  /** Partitions have gone to other members: what they rest for is theirs to say. */
  forget(): void {
    this.#resting.clear();
    this.#report();
  }

  #report(): void {
    if (this.#stats !== undefined) this.#stats.topicTroubles = this.all;
  }

  #say(topic: string, reason: TopicTroubleReason, fields: Readonly<Record<string, unknown>>): void {
    const key = `${topic} ${reason}`;
    const now = performance.now();
    if (now - (this.#saidMs.get(key) ?? -Infinity) < SAY_AGAIN_MS) return;
    this.#saidMs.set(key, now);
    this.#logger.warn(`kafka topic ${texts[reason]}`, { topic, reason, ...fields });
  }

  #over(topic: string, reason: TopicTroubleReason): void {
    this.#saidMs.delete(`${topic} ${reason}`);
    this.#logger.info('kafka topic is read again', { topic, reason });
  }
}

const texts: Readonly<Record<TopicTroubleReason, string>> = {
  missing: 'does not exist, waiting for it',
  forbidden: 'cannot be read for want of rights, or does not exist',
  unreadable: 'has a batch that cannot be read, the partition waits',
  unread: 'is read by no member of the group',
};

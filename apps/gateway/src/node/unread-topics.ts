import { sleep, type Engine, type Logger, type RouterStats, type TopicPolicy } from '@ws-gateway/core';

const LOOK_MS = 1_000;
/**
 * Looks in a row at which nobody reads a topic. A rebalance takes less; and a killed router's row is there for 11 s more,
 * while within 15 s the topics that nobody reads are to be named.
 */
const UNREAD_LOOKS = 3;

interface UnreadTopicsDeps {
  readonly engine: Pick<Engine, 'topicsRead' | 'healthy'>;
  readonly stats: Pick<RouterStats, 'topicTroubles'>;
  readonly logger: Logger;
}

/**
 * Topics of an edge that no router reads: where routers are in pools, one may be in none of them. An edge is in no group, so
 * it goes by what the routers tell of themselves.
 */
export class UnreadTopics {
  readonly #deps: UnreadTopicsDeps;
  readonly #topics: readonly TopicPolicy[];
  /** Looks in a row at which nobody read it, by Kafka's name of the topic. */
  #unread: ReadonlyMap<string, number> = new Map();

  constructor(deps: UnreadTopicsDeps, topics: readonly TopicPolicy[]) {
    this.#deps = deps;
    this.#topics = topics;
  }

  /** Looks until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { engine } = this.#deps;
    while (!signal.aborted) {
      await sleep(LOOK_MS, signal);
      // An engine that cannot be asked says nothing about routers.
      if (!signal.aborted && engine.healthy)
        await engine.topicsRead().then(
          (read) => this.#see(read),
          () => undefined,
        );
    }
  }

  #see(read: ReadonlySet<string>): void {
    const { stats, logger } = this.#deps;
    const unread = this.#topics.filter(({ name }) => !read.has(name)).map(({ kafkaTopic }) => kafkaTopic);
    this.#unread = new Map(unread.map((topic) => [topic, (this.#unread.get(topic) ?? 0) + 1]));
    const told = new Set(stats.topicTroubles.map(({ topic }) => topic));
    const lasting = unread.filter((topic) => this.#unread.get(topic)! >= UNREAD_LOOKS);
    stats.topicTroubles = lasting.map((topic) => ({ topic, reason: 'unread' }));
    for (const topic of lasting) {
      if (!told.has(topic)) logger.warn('kafka topic is read by no router', { topic, reason: 'unread' });
    }
    for (const topic of told) {
      if (!lasting.includes(topic)) logger.info('kafka topic is read again', { topic, reason: 'unread' });
    }
  }
}

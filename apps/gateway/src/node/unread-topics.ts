import { sleep, type Engine, type Logger, type NodeRow, type RouterStats, type TopicPolicy } from '@ws-gateway/core';

/** A killed router's row is there for 10 s more, and within 15 s the topics that nobody reads are to be named. */
const LOOK_MS = 2_000;

interface UnreadTopicsDeps {
  readonly engine: Pick<Engine, 'nodes' | 'healthy'>;
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
  /** Kafka's names of those that nobody read at the last look: a rebalance takes less than two. */
  #unread: ReadonlySet<string> = new Set();

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
        await engine.nodes().then(
          (rows) => this.#see(rows),
          () => undefined,
        );
    }
  }

  #see(rows: readonly NodeRow[]): void {
    const { stats, logger } = this.#deps;
    const read = new Set(rows.flatMap(({ partitions, lag }) => Object.keys(partitions ?? lag)));
    const before = this.#unread;
    this.#unread = new Set(this.#topics.filter(({ name }) => !read.has(name)).map(({ kafkaTopic }) => kafkaTopic));
    const told = new Set(stats.topicTroubles.map(({ topic }) => topic));
    const lasting = [...this.#unread].filter((topic) => before.has(topic));
    stats.topicTroubles = lasting.map((topic) => ({ topic, reason: 'unread' }));
    for (const topic of lasting) {
      if (!told.has(topic)) logger.warn('kafka topic is read by no router', { topic, reason: 'unread' });
    }
    for (const topic of told) {
      if (!lasting.includes(topic)) logger.info('kafka topic is read again', { topic, reason: 'unread' });
    }
  }
}

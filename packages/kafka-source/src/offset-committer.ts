import type { Consumer } from 'kafkajs';
import type { CommittedOffset } from '@ws-gateway/core';
import { isForbiddenTopic, KafkaError, toKafkaError } from './errors.js';
import { withDeadline } from './timing.js';
import type { TopicTrouble } from './topic-trouble.js';

const COMMIT_TIMEOUT_MS = 5_000;

/**
 * Commits offsets of one consumer, one request at a time: kafkajs repeats a commit that met a dead connection, and an older
 * one must not overtake a newer one. A request that is late is not sent any more.
 */
export class OffsetCommitter {
  readonly #consumer: Consumer;
  readonly #trouble: TopicTrouble;
  #committing: Promise<void> = Promise.resolve();
  #seen = 0;

  constructor(consumer: Consumer, trouble: TopicTrouble) {
    this.#consumer = consumer;
    this.#trouble = trouble;
    consumer.on(consumer.events.COMMIT_OFFSETS, () => {
      this.#seen++;
    });
  }

  /** `isValid` is asked when the request's turn has come. */
  async commit(offsets: readonly CommittedOffset[], isValid: () => boolean): Promise<void> {
    let late = false;
    const commit = this.#committing.then(async () => {
      if (late || !isValid()) throw new KafkaError('rebalancing', 'the commit came too late');
      await this.#sendAllowed(offsets);
    });
    this.#committing = commit.catch(() => undefined);
    try {
      await withDeadline(commit, COMMIT_TIMEOUT_MS, 'committing offsets');
    } catch (error) {
      late = true;
      throw toKafkaError(error);
    }
  }

  /** A topic whose rights were taken away does not keep the others' offsets from being committed. */
  async #sendAllowed(offsets: readonly CommittedOffset[]): Promise<void> {
    try {
      await this.#send(offsets);
    } catch (error) {
      if (!isForbiddenTopic(error)) throw error;
      for (const topic of new Set(offsets.map((offset) => offset.topic))) {
        await this.#send(offsets.filter((offset) => offset.topic === topic)).catch((refusal: unknown) => {
          if (!isForbiddenTopic(refusal)) throw refusal;
          this.#trouble.forbidden(topic);
        });
      }
    }
  }

  async #send(offsets: readonly CommittedOffset[]): Promise<void> {
    const before = this.#seen;
    await this.#consumer.commitOffsets(
      offsets.map(({ topic, partition, offset, note }) => {
        return { topic, partition, offset: String(offset), metadata: note };
      }),
    );
    // kafkajs resolves without having committed when its consumer is not running (any more, or not yet).
    if (this.#seen === before) throw new KafkaError('rebalancing', 'the consumer is not running');
  }
}

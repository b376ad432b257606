import { AnswerError, type Client } from '@ws-gateway/client';
import type { StatusStore } from './status-store.js';

interface Use {
  count: number;
  /** True: it is not one of those the application subscribes to by itself. */
  readonly ours: boolean;
  /** The gateway did not give it: asked for again by the next component that uses it. */
  isRefused: boolean;
}

/** Subscribes to a topic for the first component that uses it, and unsubscribes after the last one. */
export class TopicUsers {
  readonly #client: Client;
  readonly #status: Pick<StatusStore, 'topicRefused' | 'topicSettled'>;
  readonly #uses = new Map<string, Use>();

  constructor(client: Client, status: Pick<StatusStore, 'topicRefused' | 'topicSettled'>) {
    this.#client = client;
    this.#status = status;
  }

  /** Gives the function that ends the use. */
  use(topic: string): () => void {
    const use = this.#uses.get(topic) ?? this.#begin(topic);
    if (use.isRefused) this.#subscribe(topic, use);
    use.count++;
    return () => {
      use.count--;
      // Not in this turn: React mounts twice in StrictMode, and a page that is left may give the topic to the next one.
      setTimeout(() => this.#endUnused(topic, use));
    };
  }

  #begin(topic: string): Use {
    const use = { count: 0, ours: !this.#client.topics.includes(topic), isRefused: false };
    this.#uses.set(topic, use);
    if (use.ours) this.#subscribe(topic, use);
    return use;
  }

  #subscribe(topic: string, use: Use): void {
    use.isRefused = false;
    const isUsed = (): boolean => this.#uses.get(topic) === use;
    this.#client.subscribe(topic).then(
      () => isUsed() && this.#status.topicSettled(topic),
      (error: unknown) => {
        use.isRefused = true;
        if (error instanceof AnswerError && isUsed()) this.#status.topicRefused(topic, error);
      },
    );
  }

  #endUnused(topic: string, use: Use): void {
    if (use.count > 0 || this.#uses.get(topic) !== use) return;
    this.#uses.delete(topic);
    this.#status.topicSettled(topic);
    // A client that is closed has left it anyway.
    if (use.ours && !use.isRefused) this.#client.unsubscribe(topic).catch(() => undefined);
  }
}

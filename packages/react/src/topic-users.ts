import { AnswerError, type Client } from '@ws-gateway/client';

interface Use {
  count: number;
  /** True: it is not one of those the application subscribes to by itself. */
  readonly ours: boolean;
}

/** Subscribes to a topic for the first component that uses it, and unsubscribes after the last one. */
export class TopicUsers {
  readonly #client: Client;
  readonly #failed: (error: AnswerError) => void;
  readonly #uses = new Map<string, Use>();

  constructor(client: Client, failed: (error: AnswerError) => void) {
    this.#client = client;
    this.#failed = failed;
  }

  /** Gives the function that ends the use. */
  use(topic: string): () => void {
    const use = this.#uses.get(topic) ?? this.#begin(topic);
    use.count++;
    return () => {
      use.count--;
      // Not in this turn: React mounts twice in StrictMode, and a page that is left may give the topic to the next one.
      setTimeout(() => this.#endUnused(topic, use));
    };
  }

  #begin(topic: string): Use {
    const use = { count: 0, ours: !this.#client.topics.includes(topic) };
    this.#uses.set(topic, use);
    if (use.ours) {
      this.#client.subscribe(topic).catch((error: unknown) => {
        // Asked for again by the next component that uses it.
        this.#forget(topic, use);
        if (error instanceof AnswerError) this.#failed(error);
      });
    }
    return use;
  }

  #endUnused(topic: string, use: Use): void {
    if (use.count > 0 || !this.#forget(topic, use) || !use.ours) return;
    // A client that is closed has left it anyway.
    this.#client.unsubscribe(topic).catch(() => undefined);
  }

  #forget(topic: string, use: Use): boolean {
    return this.#uses.get(topic) === use && this.#uses.delete(topic);
  }
}

/** Messages from the call of `client.messages()` on, for one consumer. */
export interface MessageIterator<M> extends AsyncIterableIterator<M> {
  /** Messages that were not taken in time and are gone. */
  readonly dropped: number;
}

/**
 * A bounded queue between the socket, which cannot be told to wait, and a `for await` that takes its time. Over the limit
 * the oldest goes, and is counted. Ends, after what is queued, when the client is closed for good.
 */
export class MessageQueue<M> implements MessageIterator<M> {
  dropped = 0;
  readonly #limit: number;
  readonly #detach: () => void;
  readonly #queue: M[] = [];
  readonly #waiting: ((result: IteratorResult<M, undefined>) => void)[] = [];
  #ended = false;

  constructor(limit: number, attach: (queue: MessageQueue<M>) => () => void) {
    this.#limit = limit;
    this.#detach = attach(this);
  }

  push(message: M): void {
    if (this.#ended) return;
    const taker = this.#waiting.shift();
    if (taker !== undefined) {
      taker({ value: message, done: false });
      return;
    }
    if (this.#queue.length >= this.#limit) {
      this.#queue.shift();
      this.dropped++;
    }
    this.#queue.push(message);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#detach();
    for (const taker of this.#waiting.splice(0)) taker(DONE);
  }

  next(): Promise<IteratorResult<M, undefined>> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve({ value: message, done: false });
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** `break` and exceptions in the loop come here: nothing is queued any more. */
  return(): Promise<IteratorResult<M, undefined>> {
    this.#queue.length = 0;
    this.end();
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

const DONE = { value: undefined, done: true } as const;

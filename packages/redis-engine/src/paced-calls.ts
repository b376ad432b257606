/** Work under way at once, in calls or in what they carry: so much is built in one turn of the loop. */
const BYTES_MAX = 384 * 1024;
const ITEMS_MAX = 512;

/** What one call carries. */
export interface Portion {
  readonly bytes: number;
  readonly items: readonly unknown[];
}

/**
 * Makes calls in order, few at once: those behind wait for answers. Building and writing all calls of a record for 5,000
 * users in one turn held the loop, and each handshake with it, for 0.1 s. What is handed over later is sent when all that
 * was handed over before is sent.
 */
export class PacedCalls {
  /** Resolves when nothing that was handed over waits to be sent; null: nothing does. */
  #sending: Promise<void> | null = null;
  #calls = 0;
  #bytes = 0;
  #items = 0;
  #answer: PromiseWithResolvers<void> | null = null;

  /**
   * Makes a call with each portion; the first ones before it returns, unless others wait. Settles when no call is under
   * way any more, and rejects with the first failure, behind which nothing is sent.
   */
  async run<P extends Portion, Reply>(portions: readonly P[], call: (portion: P) => Promise<Reply>): Promise<Reply[]> {
    const before = this.#sending;
    const sending = Promise.withResolvers<void>();
    this.#sending = sending.promise;
    if (before !== null) await before;
    const calls: Promise<Reply>[] = [];
    let failed = false;
    for (const portion of portions) {
      while (this.#isFull(portion)) await this.#answered();
      if (failed) break;
      const made = call(portion);
      this.#begin(portion);
      made.then(
        () => this.#end(portion),
        () => {
          failed = true;
          this.#end(portion);
        },
      );
      calls.push(made);
    }
    if (this.#sending === sending.promise) this.#sending = null;
    sending.resolve();
    return allSettled(calls);
  }

  #isFull({ bytes, items }: Portion): boolean {
    if (this.#calls === 0) return false;
    return this.#bytes + bytes > BYTES_MAX || this.#items + items.length > ITEMS_MAX;
  }

  async #answered(): Promise<void> {
    this.#answer ??= Promise.withResolvers();
    await this.#answer.promise;
  }

  #begin({ bytes, items }: Portion): void {
    this.#calls++;
    this.#bytes += bytes;
    this.#items += items.length;
  }

  #end({ bytes, items }: Portion): void {
    this.#calls--;
    this.#bytes -= bytes;
    this.#items -= items.length;
    this.#answer?.resolve();
    this.#answer = null;
  }
}

async function allSettled<Reply>(calls: readonly Promise<Reply>[]): Promise<Reply[]> {
  const results = await Promise.allSettled(calls);
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

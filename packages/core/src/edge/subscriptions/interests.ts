import type { Engine } from '../../engine.js';
import type { StreamName } from '../../streams.js';

/**
 * Knows which shared streams this node wants to hear of: they are counted here, with one row a node in the engine and
 * never a row a socket. Calls to the engine for one stream go out in the order of the changes, so the last one wins
 * there too. What a connection enters is one call, and so is what connections leave within a turn of the loop.
 */
export class Interests {
  readonly #engine: Pick<Engine, 'watch' | 'unwatch'>;
  readonly #watched = new Map<StreamName, Interest>();
  /** Streams that nobody wants any more and that the engine has not been told of. */
  readonly #leaving = new Set<StreamName>();
  #flushing = false;

  constructor(engine: Pick<Engine, 'watch' | 'unwatch'>) {
    this.#engine = engine;
  }

  /**
   * Resolves when messages published from then on reach this node. Each stream is undone by one `remove`, also those of
   * a call that rejected (EngineError).
   */
  async add(streams: readonly StreamName[]): Promise<void> {
    const calls = new Set<Promise<void>>();
    const unheard = new Map<StreamName, Interest>();
    for (const stream of streams) {
      let interest = this.#watched.get(stream);
      if (interest === undefined) this.#watched.set(stream, (interest = { count: 0, watching: null }));
      interest.count++;
      if (interest.watching === null) unheard.set(stream, interest);
      else calls.add(interest.watching);
    }
    if (unheard.size > 0) calls.add(this.#watch(unheard));
    await Promise.all(calls);
  }

  remove(stream: StreamName): void {
    const interest = this.#watched.get(stream);
    if (interest === undefined || --interest.count > 0) return;
    this.#watched.delete(stream);
    this.#leaving.add(stream);
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(() => this.#flush());
  }

  /** The engine lost its rows for these channels: say it all again. */
  async renew(isConcerned: (stream: StreamName) => boolean): Promise<void> {
    const lost = new Map([...this.#watched].filter(([stream]) => isConcerned(stream)));
    if (lost.size > 0) await this.#watch(lost);
  }

  #watch(interests: ReadonlyMap<StreamName, Interest>): Promise<void> {
    const streams = [...interests.keys()];
    for (const stream of streams) this.#leaving.delete(stream);
    const watching = this.#engine.watch(streams);
    for (const interest of interests.values()) interest.watching = watching;
    watching.catch(() => {
      // The next one asks again.
      for (const interest of interests.values()) if (interest.watching === watching) interest.watching = null;
    });
    return watching;
  }

  #flush(): void {
    this.#flushing = false;
    const streams = [...this.#leaving];
    this.#leaving.clear();
    // A row left behind costs a batch that finds nobody; the lease takes it away with the node.
    if (streams.length > 0) this.#engine.unwatch(streams).catch(() => undefined);
  }
}

interface Interest {
  count: number;
  /** Call under way or done; null: it has to be made (again). */
  watching: Promise<void> | null;
}

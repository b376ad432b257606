import type { Engine } from '../../engine.js';
import type { StreamName } from '../../streams.js';

/**
 * Knows which shared streams this node wants to hear of: they are counted here, with one row a node in the engine and
 * never a row a socket. Calls to the engine for one stream go out in the order of the changes, so the last one wins
 * there too.
 */
export class Interests {
  readonly #engine: Pick<Engine, 'watch' | 'unwatch'>;
  readonly #watched = new Map<StreamName, Interest>();

  constructor(engine: Pick<Engine, 'watch' | 'unwatch'>) {
    this.#engine = engine;
  }

  /**
   * Resolves when messages published from then on reach this node. Each call is undone by one `remove`, also one that
   * rejected (EngineError).
   */
  async add(stream: StreamName): Promise<void> {
    let interest = this.#watched.get(stream);
    if (interest === undefined) this.#watched.set(stream, (interest = { count: 0, watching: null }));
    interest.count++;
    const watching = (interest.watching ??= this.#engine.watch(stream));
    try {
      await watching;
    } catch (error) {
      // The next one asks again.
      if (interest.watching === watching) interest.watching = null;
      throw error;
    }
  }

  remove(stream: StreamName): void {
    const interest = this.#watched.get(stream);
    if (interest === undefined || --interest.count > 0) return;
    this.#watched.delete(stream);
    // A row left behind costs a batch that finds nobody; the lease takes it away with the node.
    this.#engine.unwatch(stream).catch(() => undefined);
  }

  /** The engine lost its rows for these channels: say it all again. */
  async renew(isConcerned: (stream: StreamName) => boolean): Promise<void> {
    const lost = [...this.#watched].filter(([stream]) => isConcerned(stream));
    const renewals = lost.map(([stream, interest]) => (interest.watching = this.#engine.watch(stream)));
    await Promise.all(renewals);
  }
}

interface Interest {
  count: number;
  /** Call under way or done; null: it has to be made (again). */
  watching: Promise<void> | null;
}

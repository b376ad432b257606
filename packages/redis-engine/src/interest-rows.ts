import type { Calls } from './calls.js';
import type { Keys } from './keys.js';
import type { Membership } from './membership.js';
import { registered } from './registered.js';

/** Streams in one script run: what comes behind it must not wait long. */
const STREAMS_PER_CALL = 200;

interface InterestRowsParts {
  readonly calls: Calls;
  readonly keys: Keys;
  readonly membership: Membership;
}

/** Rows that say which shared streams this node wants to hear of: many of them are written in one call. */
export class InterestRows {
  readonly #parts: InterestRowsParts;

  constructor(parts: InterestRowsParts) {
    this.#parts = parts;
  }

  async watch(streams: readonly string[]): Promise<void> {
    const { calls, keys, membership } = this.#parts;
    const writes = this.#chunksOf(streams).map(([partition, chunk]) =>
      registered(membership, async () => {
        const watchKeys = [...this.#keysOf(partition), keys.key(partition, 'SEQUENCE', membership.name)];
        await calls.of(partition).run<number>('watch', { keys: watchKeys, args: [membership.name, ...chunk] });
      }),
    );
    await Promise.all(writes);
  }

  async unwatch(streams: readonly string[]): Promise<void> {
    const { calls, membership } = this.#parts;
    const writes = this.#chunksOf(streams).map(([partition, chunk]) => {
      const args = [membership.name, ...chunk];
      return calls.of(partition).run<number>('unwatch', { keys: this.#keysOf(partition), args });
    });
    await Promise.all(writes);
  }

  #keysOf(partition: number): string[] {
    const { keys, membership } = this.#parts;
    return [keys.base(partition), keys.key(partition, 'NODE_INTERESTS', membership.name)];
  }

  #chunksOf(streams: readonly string[]): [partition: number, streams: string[]][] {
    const { keys } = this.#parts;
    const chunks: [number, string[]][] = [];
    const filling = new Map<number, string[]>();
    for (const stream of streams) {
      const partition = keys.partitionOf(stream);
      let chunk = filling.get(partition);
      if (chunk === undefined || chunk.length === STREAMS_PER_CALL) {
        filling.set(partition, (chunk = []));
        chunks.push([partition, chunk]);
      }
      chunk.push(stream);
    }
    return chunks;
  }
}

import type { Inbox, Logger, ReleasedConnection } from '@ws-gateway/core';
import type { Calls } from './calls.js';
import type { Keys } from './keys.js';

/** Rows looked at with one answer. */
const ROWS_PER_LOOK = 500;

interface OwnRowsParts {
  readonly calls: Calls;
  readonly keys: Keys;
  readonly inbox: Pick<Inbox, 'holds'>;
  readonly logger: Logger;
}

/**
 * Compares the rows that Redis has of this node with the connections that are open. A Redis that lost its newest writes
 * may have rows again that were released: they would count against their user's sessions as long as this node lives.
 */
export class OwnRows {
  readonly #parts: OwnRowsParts;
  /** Partitions that another process serves now, and whose rows have been written since. */
  readonly #due = new Set<number>();
  #running = false;

  constructor(parts: OwnRowsParts) {
    this.#parts = parts;
  }

  /** The rows of these partitions are being written again: only then they can be compared. */
  doubt(partitions: readonly number[]): void {
    for (const partition of partitions) this.#due.delete(partition);
  }

  written(partitions: readonly number[]): void {
    for (const partition of partitions) this.#due.add(partition);
  }

  /** Has the rows of connections that are gone released. Never rejects: a partition that fails is looked at again. */
  async compare(node: string, release: (rows: readonly ReleasedConnection[]) => Promise<void>): Promise<void> {
    if (this.#running || this.#due.size === 0) return;
    this.#running = true;
    try {
      for (const partition of this.#due) {
        const count = await this.#compareIn(partition, node, release);
        this.#due.delete(partition);
        if (count > 0)
          this.#parts.logger.warn('rows of connections that are gone taken away', { partition, rows: count });
      }
    } catch (error) {
      this.#parts.logger.warn('rows not compared with the open connections yet', { error: String(error) });
    } finally {
      this.#running = false;
    }
  }

  async #compareIn(partition: number, node: string, release: (rows: readonly ReleasedConnection[]) => Promise<void>) {
    const { calls, keys, inbox } = this.#parts;
    const key = keys.key(partition, 'NODE_CONNECTIONS', node);
    let cursor = '0';
    let count = 0;
    do {
      const args = [key, cursor, 'COUNT', ROWS_PER_LOOK];
      const [next, members] = await calls.of(partition).command<[string, string[]]>('sscan', args);
      const gone = members.map(rowIn).filter(({ connection, user }) => !inbox.holds(connection, user));
      if (gone.length > 0) await release(gone);
      count += gone.length;
      cursor = next;
    } while (cursor !== '0');
    return count;
  }
}

/** `<connection> <user>`. */
function rowIn(member: string): ReleasedConnection {
  const space = member.indexOf(' ');
  return { connection: member.slice(0, space), user: member.slice(space + 1) };
}

import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import { RefusalError } from '../refusals.js';

/** Part of the limit below which a node that was full has room again: at the limit itself the log would fill up. */
const ROOM_AGAIN = 0.9;

interface CapacityDeps {
  readonly connections: ConnectionTable;
  readonly hasRoom?: (() => boolean) | undefined;
  readonly stats: EdgeStats;
  readonly logger: Logger;
}

/** How many sockets this process holds at most: above that, new ones are refused before they cost anything. */
export class Capacity {
  readonly #deps: CapacityDeps;
  readonly #options: { readonly connectionsMax: number };
  #hasWarned = false;

  /** The limit is looked at each time; 0: there is none. */
  constructor(deps: CapacityDeps, options: { readonly connectionsMax: number }) {
    this.#deps = deps;
    this.#options = options;
  }

  get isFull(): boolean {
    const { connections, hasRoom, stats } = this.#deps;
    const { connectionsMax } = this.#options;
    stats.connectionsMax = connectionsMax;
    const limit = connectionsMax === 0 ? Number.POSITIVE_INFINITY : connectionsMax;
    if (hasRoom?.() === false || connections.size >= limit) return true;
    if (connections.size < limit * ROOM_AGAIN) this.#hasWarned = false;
    return false;
  }

  /** Throws RefusalError `full`. */
  check(): void {
    if (!this.isFull) return;
    const { connections, logger } = this.#deps;
    if (!this.#hasWarned) logger.warn('full, new connections are refused', { connections: connections.size });
    this.#hasWarned = true;
    throw new RefusalError('full', 'this node holds as many connections as it can; come back, or try another one');
  }
}

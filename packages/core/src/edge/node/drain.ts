import { closeReason } from '../../close-codes.js';
import type { EdgeStats } from '../../stats.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Connection } from '../delivery/connection.js';
import type { Sender } from '../delivery/sender.js';

const SLICE_MS = 100;

/** Few sockets are gone at once: what is spread is a burst of handshakes elsewhere, and this many are none. */
const SOCKETS_PER_SECOND_MIN = 50;

/** Clients wait up to so long before they reconnect: it blurs the slices, so that no other node sees a pulse. */
const RECONNECT_SPREAD_MS = 1000;

/**
 * Sends the connections of this node elsewhere at an even pace: in each slice some are told to reconnect and closed with
 * 4000, spread over the duration, so that the other nodes see a slope and not a wall. Where that pace were below 50 a
 * second, the drain is shorter.
 */
export class Drain {
  readonly #connections: ConnectionTable;
  readonly #sender: Sender;
  readonly #stats: EdgeStats;

  constructor(deps: { connections: ConnectionTable; sender: Sender; stats: EdgeStats }) {
    this.#connections = deps.connections;
    this.#sender = deps.sender;
    this.#stats = deps.stats;
  }

  /** Resolves when all were told to go (their close handshakes may still be under way). */
  async run(durationMs: number): Promise<void> {
    const leaving = shuffled([...this.#connections.all()]);
    const startedMs = performance.now();
    let sent = 0;
    while (sent < leaving.length) {
      const due = socketsDue(leaving.length, performance.now() - startedMs + SLICE_MS, durationMs);
      for (; sent < due; sent++) this.#sendAway(leaving[sent]!);
      this.#stats.drainRemaining = leaving.length - sent;
      if (sent < leaving.length) await new Promise((resolve) => setTimeout(resolve, SLICE_MS));
    }
    // Those whose admission was under way when the drain began.
    for (const connection of this.#connections.all()) this.#sendAway(connection);
  }

  #sendAway(connection: Connection): void {
    const notice = connection.endpoint.drainNotice(Math.floor(Math.random() * RECONNECT_SPREAD_MS));
    if (notice !== null) this.#sender.send(connection, notice, 'reconnect');
    this.#sender.close(connection, closeReason('drain'));
  }
}

/** Number of the `total` sockets that have been told to go when `elapsedMs` of the drain are over. */
export function socketsDue(total: number, elapsedMs: number, durationMs: number): number {
  const spread = durationMs === 0 ? total : Math.ceil((total * elapsedMs) / durationMs);
  const atLeast = Math.ceil((SOCKETS_PER_SECOND_MIN * elapsedMs) / 1000);
  return Math.min(total, Math.max(spread, atLeast));
}

/** Fisher-Yates: those that came together do not leave together. */
function shuffled<T>(list: T[]): T[] {
  for (let at = list.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1));
    [list[at], list[other]] = [list[other]!, list[at]!];
  }
  return list;
}

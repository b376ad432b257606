import type { Connection } from '../delivery/connection.js';

/** Part of the limit over which ends are spread: sockets that came together must not all leave together. */
const SPREAD = 0.1;

/**
 * Tells whose lifetime is over by the limit that applies now, which may change while sockets are open. One that is older
 * than a new limit ends within a tenth of that, so a shorter limit does not end all of a node's sockets at once.
 */
export class Lifetimes {
  readonly #options: { readonly maxLifetimeMs: number };
  #limitMs: number;
  /** Time at which the limit was first seen, in ms of the monotonic clock. */
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { readonly maxLifetimeMs: number }) {
    this.#options = options;
    this.#limitMs = options.maxLifetimeMs;
  }

  /** Looks at the limit once, for a round over all connections. */
  endedAt(nowMs: number): (connection: Pick<Connection, 'cameAtMs' | 'haste'>) => boolean {
    const limitMs = this.#options.maxLifetimeMs;
    if (limitMs !== this.#limitMs) {
      this.#limitMs = limitMs;
      this.#seenAtMs = nowMs;
    }
    if (limitMs === 0) return () => false;
    const spreadMs = limitMs * SPREAD;
    return ({ cameAtMs, haste }) =>
      nowMs >= Math.max(cameAtMs + limitMs - haste * spreadMs, this.#seenAtMs + haste * spreadMs);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Membership } from './membership.js';

/** Share of a lease time: so long a node is silent whose connections hold no place any more. */
const SILENCE_LEASES = 0.3;
/** Share of a lease time for which a newcomer waits at most, where looks fail to show enough. */
const PATIENCE_LEASES = 0.5;
/** Shares of a lease time between looks: a node that lives answers at once, one that does not is waited for. */
const FIRST_LOOK_LEASES = 0.0005;
const LOOK_LEASES_MAX = 0.02;

/**
 * Decides of nodes whose connections stand in a newcomer's way whether they are silent, long before they are reaped: a
 * client whose node was killed wants its only place back. Judged as the dead are, by looks that Redis answered and took
 * (LeaseObserver); a node that was only paused finds the command to close in its inbox.
 */
export class SilentNodes {
  readonly #membership: Membership;
  readonly #leaseMs: number;
  #looking: Promise<void> | null = null;

  constructor(membership: Membership, { leaseMs }: { leaseMs: number }) {
    this.#membership = membership;
    this.#leaseMs = leaseMs;
  }

  /**
   * Resolves to those of these nodes that are silent; the others have shown life since this was called, or have no lease
   * any more. `probe` asks them to. Rejects when Redis does not answer.
   */
  async among(nodes: readonly string[], probe: () => Promise<unknown>): Promise<string[]> {
    const membership = this.#membership;
    const unwatch = membership.watch(nodes);
    try {
      await this.#look();
      const before = new Map(nodes.map((node) => [node, membership.lifeOf(node)?.score]));
      const isUnmoved = (node: string) =>
        before.get(node) !== undefined && membership.lifeOf(node)?.score === before.get(node);
      await probe();
      const probedMs = performance.now();
      const passedLeases = () => (performance.now() - probedMs) / this.#leaseMs;
      // Redis may have stood still until now: who lives has an answer on its way.
      const isDecided = (node: string) =>
        !isUnmoved(node) || (this.#isSilent(node) && passedLeases() >= LOOK_LEASES_MAX);
      for (let waitLeases = FIRST_LOOK_LEASES; passedLeases() < PATIENCE_LEASES; waitLeases *= 2) {
        await sleep(Math.min(waitLeases, LOOK_LEASES_MAX) * this.#leaseMs);
        await this.#look();
        if (nodes.every(isDecided)) break;
      }
      return nodes.filter((node) => isUnmoved(node) && this.#isSilent(node));
    } finally {
      unwatch();
    }
  }

  #isSilent(node: string): boolean {
    const life = this.#membership.lifeOf(node);
    return life !== null && life.unmovedMs >= SILENCE_LEASES * this.#leaseMs;
  }

  /** Looks at the nodes; those who want to at the same time share one look. */
  #look(): Promise<void> {
    this.#looking ??= this.#membership.look().finally(() => (this.#looking = null));
    return this.#looking;
  }
}

import type { EngineStats, Logger } from '@ws-gateway/core';

const SAFE = 'noeviction';

/**
 * Knows what each Redis does when its memory is full, as far as it says so; anything but refusing writes is warned of.
 */
export class EvictionPolicies {
  readonly #stats: EngineStats;
  readonly #logger: Logger;
  /** Policies by connection, since each of several servers has its own. */
  readonly #policies = new Map<object, string>();

  constructor({ stats, logger }: { stats: EngineStats; logger: Logger }) {
    this.#stats = stats;
    this.#logger = logger;
  }

  /** The server may take keys away when its memory is full, or does not say. */
  evicts(link: object): boolean {
    return this.#policies.get(link) !== SAFE;
  }

  /** Takes note of what a server says in its INFO. */
  see(link: object, info: string): void {
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    if (policy === undefined) return;
    const isNew = !this.#stats.evictionPolicies.has(policy);
    this.#policies.set(link, policy);
    const now = new Set(this.#policies.values());
    for (const before of this.#stats.evictionPolicies.keys()) this.#stats.evictionPolicies.set(before, 0);
    for (const one of now) this.#stats.evictionPolicies.set(one, 1);
    if (!isNew || policy === SAFE) return;
    if (policy.startsWith('volatile-')) {
      const consequence = 'history and acknowledgements may be lost when memory runs out; blocks and presence stay';
      this.#logger.warn('redis may evict keys, set maxmemory-policy noeviction', { policy, consequence });
    } else {
      const consequence = 'nothing can be promised when memory runs out: blocks, presence and positions may vanish';
      this.#logger.warn('redis may evict any key, set maxmemory-policy noeviction', { policy, consequence });
    }
  }
}

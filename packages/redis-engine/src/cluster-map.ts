import { EngineError } from '@ws-gateway/core';
import type { Address } from './options.js';

export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: Address;
}

/** Time in ms for which one answer serves all connections that broke together. */
const FRESH_MS = 200;

/**
 * Knows which node of a Redis Cluster is the master of a slot. Nothing is remembered for long: a connection that was
 * lost, or was told that its slot is elsewhere, asks again.
 */
export class ClusterMap {
  readonly #ask: (node: Address) => Promise<SlotRange[]>;
  /** Nodes to ask. */
  readonly #nodes = new Map<string, Address>();
  #ranges: readonly SlotRange[] = [];
  #askedMs = -Infinity;
  #asking: Promise<void> | null = null;

  constructor(seeds: readonly Address[], ask: (node: Address) => Promise<SlotRange[]>) {
    this.#ask = ask;
    for (const seed of seeds) this.#append(seed);
  }

  async masterOf(slot: number): Promise<Address> {
    if (performance.now() - this.#askedMs > FRESH_MS) {
      this.#asking ??= this.#askAround().finally(() => (this.#asking = null));
      await this.#asking;
    }
    const range = this.#ranges.find(({ first, last }) => first <= slot && slot <= last);
    if (range === undefined) throw new EngineError('unavailable', `no node of the redis cluster has slot ${slot}`);
    return range.master;
  }

  async #askAround(): Promise<void> {
    let cause: unknown;
    for (const node of [...this.#nodes.values()]) {
      // Another one is asked first the next time: one that is cut off from the rest believes in what was.
      this.#append(node);
      try {
        this.#ranges = await this.#ask(node);
        this.#askedMs = performance.now();
        for (const { master } of this.#ranges) if (!this.#nodes.has(nameOf(master))) this.#append(master);
        return;
      } catch (error) {
        cause = error;
      }
    }
    throw new EngineError('unavailable', `no node of the redis cluster answers: ${String(cause)}`, { cause });
  }

  #append(node: Address): void {
    this.#nodes.delete(nameOf(node));
    this.#nodes.set(nameOf(node), node);
  }
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

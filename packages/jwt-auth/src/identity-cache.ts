import type { Identity } from '@ws-gateway/core';

/**
 * Remembers whom somebody was found to be, by the digest of what was brought, until it expires, `rememberedMs` at most.
 * It is bounded: the least recently used entry makes room, which costs its bearer one more verification and nothing
 * else.
 */
export class IdentityCache {
  readonly #entries = new Map<string, Entry>();
  readonly #entriesMax: number;
  readonly #rememberedMs: number;
  /** Number of entries that made room before their time. */
  evictions = 0;

  constructor(entriesMax: number, rememberedMs: number) {
    this.#entriesMax = entriesMax;
    this.#rememberedMs = rememberedMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(digest: string, nowMs: number): Identity | undefined {
    const entry = this.#entries.get(digest);
    if (entry === undefined) return undefined;
    this.#entries.delete(digest);
    // A time before `verifiedMs` means that the clock was set back: nothing is known about the entry's age then.
    if (nowMs >= entry.untilMs || nowMs < entry.verifiedMs) return undefined;
    this.#entries.set(digest, entry);
    return entry.identity;
  }

  put(digest: string, identity: Identity, nowMs: number): void {
    const untilMs = Math.min(nowMs + this.#rememberedMs, identity.expiresAtMs ?? Infinity);
    if (untilMs <= nowMs || this.#entriesMax <= 0) return;
    this.#entries.delete(digest);
    if (this.#entries.size >= this.#entriesMax) this.#dropOldest(nowMs);
    this.#entries.set(digest, { identity, verifiedMs: nowMs, untilMs });
  }

  #dropOldest(nowMs: number): void {
    for (const [digest, entry] of this.#entries) {
      this.#entries.delete(digest);
      if (nowMs < entry.untilMs) this.evictions++;
      return;
    }
  }
}

interface Entry {
  readonly identity: Identity;
  readonly verifiedMs: number;
  readonly untilMs: number;
}

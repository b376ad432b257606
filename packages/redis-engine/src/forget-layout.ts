import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { Keys, keyKinds, type Partitioning } from './keys.js';
import { nodeIdOf } from './node-names.js';
import { mastersOf } from './redis-client.js';
import type { RedisServer } from './options.js';

/** A node that lives refreshes its lease within this time. */
const LEASE_LOOK_MS = 3000;
const KEYS_PER_SCAN = 1000;
const TIMEOUT_MS = 5000;

export interface ForgetLayoutOptions {
  readonly server: RedisServer;
  readonly keyPrefix: string;
  /** Partitioning from now on. */
  readonly partitioning: Partitioning;
}

/** `running`: nodes that live, for which nothing was done. */
export type ForgottenLayout =
  { readonly running: readonly string[] } | { readonly deleted: number; readonly kept: number };

/**
 * Deletes all keys of an installation, whatever layout they have, so that nodes with other settings can begin. Blocks and
 * revocations are written again where the new layout looks for them. All nodes must be down.
 */
export async function forgetLayout({ server, keyPrefix, partitioning }: ForgetLayoutOptions): Promise<ForgottenLayout> {
  const masters = await mastersOf(server, TIMEOUT_MS);
  try {
    const keys = new Keys(keyPrefix, partitioning);
    const running = await runningNodes(masters, keys.key(0, 'NODES'));
    if (running.length > 0) return { running };
    const kept = new KeptRows();
    const found: { master: Redis; keys: string[] }[] = [];
    for (const master of masters) {
      const all = await keysOf(master, keyPrefix);
      for (const key of all) await kept.take(master, key, keyPrefix);
      found.push({ master, keys: all });
    }
    let deleted = 0;
    // A key each, because those of several slots cannot go together in a cluster.
    for (const { master, keys: all } of found) {
      deleted += all.length;
      for (const key of all) await master.unlink(key);
    }
    return { deleted, kept: await kept.write(masters, keys) };
  } finally {
    for (const master of masters) master.disconnect();
  }
}

async function runningNodes(masters: readonly Redis[], key: string): Promise<string[]> {
  const before = await leases(masters, key);
  if (before.size === 0) return [];
  await delay(LEASE_LOOK_MS);
  const after = await leases(masters, key);
  return [...after].filter(([node, score]) => before.get(node) !== score).map(([node]) => nodeIdOf(node));
}

async function leases(masters: readonly Redis[], key: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const reply = await onOwner(masters, (master) => master.zrange(key, 0, -1, 'WITHSCORES'));
  for (let at = 0; at < reply.length; at += 2) found.set(reply[at]!, reply[at + 1]!);
  return found;
}

/** Asks the owner of a key: only the master of its slot serves it. */
async function onOwner<Result>(masters: readonly Redis[], ask: (master: Redis) => Promise<Result>): Promise<Result> {
  let refusal: unknown;
  for (const master of masters) {
    try {
      return await ask(master);
    } catch (error) {
      if (!String(error).includes('MOVED')) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function keysOf(master: Redis, keyPrefix: string): Promise<string[]> {
  // What has a meaning in a pattern stands for itself.
  const pattern = `${keyPrefix.replace(/[\\*?[\]]/g, '\\$&')}:{*}:*`;
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, page] = await master.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_PER_SCAN);
    for (const key of page) found.add(key);
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

/** Blocks and revocations with the ends they have. */
class KeptRows {
  readonly #values = new Map<
    string,
    { kind: 'BLOCK' | 'REVOKED_TOKEN' | 'REVOKED_BEFORE'; name: string; value: string }
  >();
  readonly #ends = new Map<string, string>();

  async take(master: Redis, key: string, keyPrefix: string): Promise<void> {
    const rest = key.slice(key.indexOf('}:', keyPrefix.length) + 2);
    if (rest === keyKinds.EXPIRIES) {
      const members = await master.zrange(key, 0, -1, 'WITHSCORES');
      for (let at = 0; at < members.length; at += 2) this.#ends.set(members[at]!, members[at + 1]!);
      return;
    }
    for (const kind of ['BLOCK', 'REVOKED_TOKEN', 'REVOKED_BEFORE'] as const) {
      if (!rest.startsWith(keyKinds[kind])) continue;
      const name = rest.slice(keyKinds[kind].length);
      const value = await master.get(key);
      if (value === null) continue;
      this.#values.set(rest, { kind, name, value });
      // One of an earlier release ends with its key.
      const end = await master.pexpiretime(key);
      if (end > 0) this.#ends.set(`${memberKinds[kind]} ${name}`, String(end));
    }
  }

  /** Returns how many there were. */
  async write(masters: readonly Redis[], keys: Keys): Promise<number> {
    for (const { kind, name, value } of this.#values.values()) {
      // A token is of any user, so every partition has its revocation.
      const partitions = kind === 'REVOKED_TOKEN' ? keys.all() : [keys.partitionOf(name)];
      const member = `${memberKinds[kind]} ${name}`;
      const end = this.#ends.get(member);
      for (const partition of partitions) {
        await onOwner(masters, (master) => master.set(keys.key(partition, kind, name), value));
        if (end === undefined) continue;
        await onOwner(masters, (master) => master.zadd(keys.key(partition, 'EXPIRIES'), end, member));
      }
    }
    return this.#values.size;
  }
}

/** Kinds of members, named as in include/blocks.lua and revoke-2.lua. */
const memberKinds = { BLOCK: 'b', REVOKED_TOKEN: 't', REVOKED_BEFORE: 'r' } as const;

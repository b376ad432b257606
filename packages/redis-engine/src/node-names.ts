import { randomInt } from 'node:crypto';
import type { NodeStatus, PresenceRow } from '@ws-gateway/core';

/** Scripts look for these (include/lives.lua). A life of a release that does not know of the shared log has no capital. */
const ROUTER = 'r.';
const SHARES = 'L';
/**
 * Lives that there can be. They tell those of one id apart, which follow each other; their text is short because it stands in
 * each row. Those of pods' names (34 characters) and lives of 6, the capital among them, leave a row's strings in the
 * allocator's smaller classes.
 */
const LIVES = 36 ** 5;

/**
 * In Redis a node is called `<id>~<life>`. When it has to register again (its lease ran out while it was suspended, or
 * Redis lost its data) it begins a new life with rows of its own, so whoever still reaps the old one cannot touch them.
 * The life of a router says so: what is for all sockets passes it by. The one of another node says that it reads the log
 * which nodes share.
 */
export function newIncarnation(id: string, role: NodeStatus['role']): string {
  return `${id}~${role === 'router' ? ROUTER : ''}${SHARES}${randomInt(LIVES).toString(36)}`;
}

export function nodeIdOf(name: string): string {
  return name.slice(0, name.lastIndexOf('~'));
}

/** A presence row is `<node> <since> <endpoint>`. */
export function rowOf(connection: string, row: string): PresenceRow {
  const [node, since] = row.split(' ', 2) as [string, string];
  const endpoint = row.slice(node.length + since.length + 2);
  return { connection, node: nodeIdOf(node), endpoint, sinceMs: Number(since) };
}

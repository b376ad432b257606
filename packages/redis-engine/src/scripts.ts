import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { keyKinds } from './keys.js';
import { announcementLimits, BEHIND_SHARED } from './wire.js';

/** Number of keys of each script: one file a script under scripts/, with this number behind its name. */
const keyCounts = {
  publish: 1,
  'forget-source': 2,
  'note-topics': 1,
  beat: 2,
  'end-beat': 2,
  admit: 3,
  release: 2,
  positions: 1,
  read: 1,
  acknowledge: 1,
  acknowledged: 1,
  watch: 3,
  unwatch: 2,
  lease: 4,
  'open-inbox': 1,
  'check-inbox': 1,
  nodes: 2,
  'topics-read': 3,
  'claim-dead': 2,
  retire: 3,
  reap: 6,
  'restore-blocks': 1,
  'list-blocks': 3,
  erase: 1,
  revoke: 2,
  sweep: 2,
  'note-takes': 1,
  outcomes: 1,
} as const;

export type ScriptName = keyof typeof keyCounts;

export interface Script {
  readonly source: string;
  readonly sha: string;
  readonly keys: number;
}

// Beside src and dist alike.
const folder = new URL('../scripts/', import.meta.url);
const INCLUDE = /^ *-- @include (\S+)$/gm;

/** How batches are announced: with PUBLISH a Redis Cluster would send them to all its servers. */
const channelNames = (isCluster: boolean) =>
  isCluster
    ? { PUBLISH: 'SPUBLISH', NUMSUB: 'SHARDNUMSUB', SHARDED: true }
    : { PUBLISH: 'PUBLISH', NUMSUB: 'NUMSUB', SHARDED: false };

export function loadScripts({ isCluster }: { isCluster: boolean }): ReadonlyMap<ScriptName, Script> {
  const names = { ...keyKinds, ...announcementLimits, BEHIND_SHARED, ...channelNames(isCluster) };
  const scripts = new Map<ScriptName, Script>();
  for (const [name, keys] of Object.entries(keyCounts) as [ScriptName, number][]) {
    const source = withNames(withIncludes(readFileSync(new URL(`${name}-${keys}.lua`, folder), 'utf8')), names);
    scripts.set(name, { source, keys, sha: createHash('sha1').update(source).digest('hex') });
  }
  return scripts;
}

function withIncludes(source: string): string {
  const included = (name: string) => readFileSync(new URL(`include/${name}.lua`, folder), 'utf8');
  return source.replace(INCLUDE, (_, name: string) => withIncludes(included(name)));
}

/**
 * Puts what names stand for in their place, so that one place spells it. Not as locals: a function of a script that shares
 * a local costs a look at all that are shared, in each call.
 */
function withNames(source: string, names: Readonly<Record<string, string | number | boolean>>): string {
  const text = (value: string | number | boolean) => (typeof value === 'string' ? `'${value}'` : String(value));
  return source.replace(/(?<!['\w])[A-Z][A-Z_]+(?!['\w])/g, (name) => (name in names ? text(names[name]!) : name));
}

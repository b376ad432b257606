import { isObject, own } from '@ws-gateway/core';
import type { MapNode, Node, Section } from './schema-node.js';
import type { Tree } from './tree.js';

/** What becomes of a new configuration while the program runs. Both trees are complete. */
export interface LiveMerge {
  /** The running configuration with the new values of the keys that are live. */
  readonly tree: Tree;
  /** Paths of live keys whose values are new. */
  readonly changed: readonly string[];
  /** Paths of other keys whose values differ: they wait for a restart. */
  readonly waiting: readonly string[];
}

/** Takes over the keys that the schema marks as live, and names those that it does not take over. */
export function mergeLive(schema: Section, running: Tree, next: Tree): LiveMerge {
  const changed: string[] = [];
  const waiting: string[] = [];
  const merge = (node: Node, path: readonly string[], before: unknown, after: unknown): unknown => {
    if (same(before, after)) return before;
    if (node.kind === 'group') {
      return byName(Object.keys(node.keys), (name) =>
        merge(node.keys[name]!, [...path, name], valueOf(before, name), valueOf(after, name)),
      );
    }
    if (node.kind === 'map' && node.entry.kind === 'group') return mergeEntries(node, path, before, after);
    const live = isLive(node);
    (live ? changed : waiting).push(path.join('.'));
    return live ? after : before;
  };
  /** An entry that comes or goes is a thing of its own, such as a topic: it waits. */
  const mergeEntries = (node: MapNode, path: readonly string[], before: unknown, after: unknown): unknown => {
    const names = namesOf(before);
    for (const name of namesOf(after)) if (!names.includes(name)) waiting.push([...path, name].join('.'));
    return byName(names, (name) => {
      const entry = valueOf(after, name);
      if (entry !== undefined) return merge(node.entry, [...path, name], valueOf(before, name), entry);
      waiting.push([...path, name].join('.'));
      return valueOf(before, name);
    });
  };
  return { tree: merge(schema, [], running, next) as Tree, changed, waiting };
}

function isLive(node: Node): boolean {
  if (node.kind === 'map') return node.entry.kind === 'key' && isLive(node.entry);
  return node.kind !== 'group' && node.live !== undefined;
}

function byName(names: readonly string[], value: (name: string) => unknown): Tree {
  return Object.fromEntries(names.map((name) => [name, value(name)]));
}

function namesOf(tree: unknown): string[] {
  return isObject(tree) ? Object.keys(tree) : [];
}

function valueOf(tree: unknown, name: string): unknown {
  return isObject(tree) ? own(tree, name) : undefined;
}

/** Trees are plain data in the order of the schema. */
function same(before: unknown, after: unknown): boolean {
  return JSON.stringify(before) === JSON.stringify(after);
}

import { isObject, own } from '@ws-gateway/core';
import type { Node } from './schema-node.js';

/** Configuration in written form: what YAML or JSON made of it. */
export type Tree = Readonly<Record<string, unknown>>;

/** Source of each written value, by key path. */
export type Sources = Map<string, string>;

export interface Layer {
  readonly value: unknown;
  readonly source: string;
  /** Receives the source of each value. */
  readonly sources: Sources;
}

/** Makes a tree that holds one value. */
export function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), value);
}

export function valueAt(tree: unknown, path: readonly string[]): unknown {
  let value = tree;
  for (const name of path) value = isObject(value) ? own(value, name) : undefined;
  return value;
}

/**
 * Lays one layer over another: groups and maps are merged name by name, keys and lists replaced. An empty value (YAML
 * `key:`) counts as not written, because that is what is left when all lines below it are comments.
 */
export function overlay(node: Node | undefined, below: unknown, above: Layer, path: readonly string[] = []): unknown {
  const { value, source, sources } = above;
  if (value === null || value === undefined) return below;
  const merges = node?.kind === 'group' || node?.kind === 'map';
  if (!merges || !isObject(value)) {
    sources.set(path.join('.'), source);
    return value;
  }
  const merged = new Map(Object.entries(isObject(below) ? below : {}));
  for (const [name, inner] of Object.entries(value)) {
    const layer = { value: inner, source, sources };
    merged.set(name, overlay(childOf(node, name), merged.get(name), layer, [...path, name]));
  }
  return Object.fromEntries(merged);
}

export function childOf(node: Node | undefined, name: string): Node | undefined {
  if (node?.kind === 'map') return node.entry;
  if (node?.kind !== 'group' || !Object.hasOwn(node.keys, name)) return undefined;
  return node.keys[name];
}

import { isObject } from '@ws-gateway/core';
import type { Node, Section } from './schema-node.js';
import { childOf, type Tree } from './tree.js';

const MASK = '********';

/** The same tree with nothing secret in it. A secret that is not set stays empty, so that its absence can be seen. */
export function masked(schema: Section, tree: Tree): Tree {
  return maskEach(schema, tree) as Tree;
}

/** `http://user:password@host` keeps its user. */
function maskUrls(text: string): string {
  return text.replace(/(:\/\/[^/\s:@]*):[^/\s@]+@/g, `$1:${MASK}@`);
}

/** Masks texts that quote what somebody wrote, which may be `user:password@host` where no user belongs. */
export function maskQuoted(text: string): string {
  return maskUrls(text).replace(/("[^"\s:@/]*):(?!\/\/)[^"\s]+@/g, `$1:${MASK}@`);
}

function maskEach(node: Node | undefined, value: unknown): unknown {
  if (node?.kind === 'key' && node.secret === true) return maskSecret(value);
  if (typeof value === 'string') return maskUrls(value);
  if (Array.isArray(value))
    return value.map((element) => maskEach(node?.kind === 'list' ? node.entry : undefined, element));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskEach(childOf(node, name), inner)]));
}

function maskSecret(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(maskSecret);
  return value === '' ? value : MASK;
}

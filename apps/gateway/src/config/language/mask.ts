import { schema } from '../schema/schema.js';
import { walk } from './schema-node.js';
import { isTree, nest, valueAt, type Tree } from './tree.js';

const MASK = '********';

/** The same tree with nothing secret in it. A secret that is not set stays empty, so that its absence can be seen. */
export function masked(tree: Tree): Tree {
  let result: unknown = maskEach(tree);
  for (const [path, node] of walk(schema)) {
    if (node.kind !== 'key' || node.secret !== true || valueAt(tree, path) === '') continue;
    result = replaced(result, nest(path, MASK));
  }
  return result as Tree;
}

/** `http://user:password@host` keeps its user. */
export function maskUrls(text: string): string {
  return text.replace(/(:\/\/[^/\s:@]*):[^/\s@]+@/g, `$1:${MASK}@`);
}

function maskEach(value: unknown): unknown {
  if (typeof value === 'string') return maskUrls(value);
  if (Array.isArray(value)) return value.map(maskEach);
  if (!isTree(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, maskEach(inner)]));
}

function replaced(below: unknown, above: unknown): unknown {
  if (!isTree(above) || !isTree(below)) return above;
  const [[name, inner] = ['', null]] = Object.entries(above);
  return { ...below, [name]: replaced(below[name], inner) };
}

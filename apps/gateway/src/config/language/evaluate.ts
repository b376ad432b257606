import { isObject } from '@ws-gateway/core';
import convict from 'convict';
import type { Finding } from './finding.js';
import { FormatError } from './formats.js';
import type { AnyKey, Section, ListNode, MapNode, Node } from './schema-node.js';
import { valueAt, type Tree } from './tree.js';

/** A written tree after the schema has been applied. */
export interface Evaluated {
  /** Complete, in written form; what was wrong is replaced by its default. */
  readonly tree: Tree;
  readonly findings: readonly Finding[];
}

const NO_DEFAULTS: Tree = {};

/**
 * Checks a written tree against the schema and fills in what is not written. convict does groups and keys; it would
 * split the names of a map at their dots, so each entry of a map or list is evaluated on its own.
 */
export function evaluate(
  group: Section,
  written: unknown,
  path: readonly string[] = [],
  defaults: Tree = NO_DEFAULTS,
): Evaluated {
  const collected = collect(group, written, path);
  const findings = [...collected.findings];
  const wrong: Finding[] = [];
  // A coercing format of convict would turn "abc" into NaN and "maybe" into true: this one only looks.
  convict.addFormat({ name: 'written', validate: checkWritten });
  const schema = definition(group, defaults, { path: [], report: (finding) => wrong.push(finding) });
  const config = convict<Record<string, unknown>>(schema, { env: {}, args: [] });
  for (const [inner, value] of collected.values) config.set(inner, value);
  config.validate({ allowed: 'strict' });
  for (const { path: inner, message } of wrong) {
    findings.push({ path: [...path, inner].join('.'), message });
    config.reset(inner);
  }
  const tree = config.getProperties();
  for (const { node, at, value } of collected.collections) {
    const here = [...path, ...at];
    const preset = valueAt(defaults, at);
    const whole = isObject(preset) && (value === undefined || isObject(value)) ? { ...preset, ...value } : value;
    const evaluated = node.kind === 'map' ? evaluateMap(node, whole, here) : evaluateList(node, whole, here);
    findings.push(...evaluated.findings);
    place(tree, at, evaluated.tree);
  }
  return { tree, findings };
}

interface Collected {
  readonly values: [string, unknown][];
  readonly collections: { node: MapNode | ListNode; at: readonly string[]; value: unknown }[];
  readonly findings: Finding[];
}

/** Finds what is written for each key, and names that are no key. */
function collect(group: Section, written: unknown, path: readonly string[], at: readonly string[] = []): Collected {
  const found: Collected = { values: [], collections: [], findings: [] };
  const here = [...path, ...at];
  if (written !== undefined && written !== null && !isObject(written)) {
    found.findings.push({ path: here.join('.') || 'configuration', message: 'must be a map of keys' });
  }
  const tree = isObject(written) ? written : {};
  for (const name of Object.keys(tree)) {
    if (Object.hasOwn(group.keys, name)) continue;
    found.findings.push({ path: [...here, name].join('.'), message: unknownKey(name, Object.keys(group.keys)) });
  }
  for (const [name, node] of Object.entries(group.keys)) {
    const value = Object.hasOwn(tree, name) ? (tree[name] ?? undefined) : undefined;
    collectChild(node, { value, path, at: [...at, name] }, found);
  }
  return found;
}

function collectChild(
  node: Node,
  child: { value: unknown; path: readonly string[]; at: readonly string[] },
  found: Collected,
): void {
  const { value, path, at } = child;
  if (node.kind === 'group') {
    const inner = collect(node, value, path, at);
    found.values.push(...inner.values);
    found.collections.push(...inner.collections);
    found.findings.push(...inner.findings);
  } else if (node.kind !== 'key') {
    found.collections.push({ node, at, value });
  } else if (isObject(value)) {
    found.findings.push({
      path: [...path, ...at].join('.'),
      message: `must be a value (${node.format.name}), not a map`,
    });
  } else if (value !== undefined) {
    found.values.push([at.join('.'), value]);
  }
}

function evaluateMap(node: MapNode, written: unknown, path: readonly string[]): Evaluated {
  const findings: Finding[] = [];
  if (written !== undefined && !isObject(written)) findings.push({ path: path.join('.'), message: 'must be a map' });
  const given = new Map(Object.entries(isObject(written) ? written : {}));
  const names = new Set([...(node.presetsExist ? Object.keys(node.presets) : []), ...given.keys()]);
  const entries: [string, unknown][] = [];
  for (const name of names) {
    const at = [...path, name];
    const nameProblem = problem(node.entryName.read, name);
    if (nameProblem !== null) findings.push({ path: at.join('.'), message: `the name ${nameProblem}` });
    const evaluated = evaluateEntry(node, given.get(name), at);
    findings.push(...evaluated.findings);
    if (nameProblem === null) entries.push([name, evaluated.value]);
  }
  return { tree: Object.fromEntries(entries), findings };
}

function evaluateEntry(
  node: MapNode,
  written: unknown,
  path: readonly string[],
): { value: unknown; findings: readonly Finding[] } {
  const preset = presetOf(node, path.at(-1)!);
  if (node.entry.kind === 'group') {
    const { tree, findings } = evaluate(node.entry, written, path, preset);
    return { value: tree, findings };
  }
  const value = written ?? node.entry.default;
  const message = problem(node.entry.format.read, value, node.entry.secret);
  return message === null
    ? { value, findings: [] }
    : { value: node.entry.default, findings: [{ path: path.join('.'), message }] };
}

export function presetOf(node: MapNode, name: string): Tree {
  return Object.hasOwn(node.presets, name) ? node.presets[name]! : NO_DEFAULTS;
}

function evaluateList(
  node: ListNode,
  written: unknown,
  path: readonly string[],
): { tree: Tree; findings: readonly Finding[] } {
  const findings: Finding[] = [];
  if (written !== undefined && !Array.isArray(written))
    findings.push({ path: path.join('.'), message: 'must be a list of maps' });
  const elements = Array.isArray(written) ? (written as unknown[]) : node.default;
  const trees = elements.flatMap((element, index) => {
    const at = [...path.slice(0, -1), `${path.at(-1)}[${index}]`];
    if (!isObject(element)) {
      findings.push({ path: at.join('.'), message: 'must be a map of keys' });
      return [];
    }
    const evaluated = evaluate(node.entry, element, at);
    findings.push(...evaluated.findings);
    // An element may hold a key that has no usable default, such as a name.
    return evaluated.findings.length === 0 ? [evaluated.tree] : [];
  });
  return { tree: trees as unknown as Tree, findings };
}

/** convict calls this for each key; a key that is wrong reports itself, so that no error text has to be read again. */
function checkWritten(value: unknown, keyDefinition: convict.SchemaObj): void {
  (keyDefinition['check'] as (value: unknown) => void)(value);
}

interface Reporting {
  readonly path: readonly string[];
  readonly report: (finding: Finding) => void;
}

function definition(
  group: Section,
  defaults: Tree,
  { path, report }: Reporting,
): convict.Schema<Record<string, unknown>> {
  const nodes: [string, unknown][] = [];
  for (const [name, node] of Object.entries(group.keys)) {
    const preset = defaults[name];
    const at = { path: [...path, name], report };
    if (node.kind === 'group') nodes.push([name, definition(node, isObject(preset) ? preset : NO_DEFAULTS, at)]);
    else if (node.kind === 'key') nodes.push([name, keyDefinition(node, preset, at)]);
  }
  return Object.fromEntries(nodes) as convict.Schema<Record<string, unknown>>;
}

function keyDefinition(node: AnyKey, preset: unknown, { path, report }: Reporting): convict.SchemaObj {
  return {
    doc: node.doc,
    default: preset ?? node.default,
    format: 'written',
    sensitive: node.secret === true,
    check(value: unknown) {
      const message = problem(node.format.read, value, node.secret);
      if (message !== null) report({ path: path.join('.'), message });
    },
  };
}

/** The rule that the value breaks, and the value; a secret is never repeated. null: the value is good. */
function problem(read: (value: unknown) => unknown, value: unknown, secret = false): string | null {
  try {
    read(value);
    return null;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return secret ? error.message : `${error.message}, not ${error.came ?? JSON.stringify(value)}`;
  }
}

function place(tree: Record<string, unknown>, at: readonly string[], value: unknown): void {
  let holder = tree;
  for (const name of at.slice(0, -1)) holder = holder[name] as Record<string, unknown>;
  holder[at.at(-1)!] = value;
}

function unknownKey(name: string, known: readonly string[]): string {
  const simple = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const near = known
    .map((candidate) => ({ candidate, distance: editDistance(simple(candidate), simple(name)) }))
    .filter(({ candidate, distance }) => distance <= 2 && distance < candidate.length / 2)
    .sort((a, b) => a.distance - b.distance)[0];
  return near === undefined ? 'unknown key' : `unknown key; did you mean ${near.candidate}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, swap));
    }
    row = next;
  }
  return row[b.length]!;
}

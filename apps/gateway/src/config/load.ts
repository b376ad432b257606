import { existsSync, readFileSync } from 'node:fs';
import { isObject } from '@ws-gateway/core';
import { readAliases } from './aliases.js';
import type { Config } from './config.js';
import { readEnvironment } from './language/environment.js';
import { evaluate } from './language/evaluate.js';
import type { Finding } from './language/finding.js';
import { maskQuoted } from './language/mask.js';
import { readValues, resolve, withLatestRetained, withFormatMaps, withListedTopics } from './resolve.js';
import type { Purpose } from './rules/rule.js';
import { brokenRules } from './rules/all-rules.js';
import { schema } from './schema/schema.js';
import type { Node } from './language/schema-node.js';
import { readYaml, YamlError, type Position } from './language/yaml-document.js';
import { childOf, nest, overlay, valueAt, type Sources, type Tree } from './language/tree.js';

export interface LoadOptions {
  /** Path given by the user; without it `config.yaml` of the working directory, when there is one. */
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Values of the command line, by key path. */
  readonly flags?: Readonly<Record<string, FlagValue | undefined>>;
  /** Purpose: what has to be there depends on what is to be done. */
  readonly purpose: Purpose;
}

/** A value of the command line and the flag it came from, such as `--port`. */
export interface FlagValue {
  readonly flag: string;
  readonly text: string;
}

export interface Loaded {
  readonly config: Config;
  /** Complete configuration in written form, secrets included. */
  readonly tree: Tree;
  readonly findings: readonly Finding[];
  /** File; null: none, only defaults and environment. */
  readonly file: string | null;
  /**
   * Tells whether somebody chose the value of this key. Writing the default into a file is no choice: examples do that.
   */
  chosen(path: string): boolean;
}

const DEFAULT_FILE = 'config.yaml';
const NO_FILE: FileDocument = { value: {}, positions: new Map(), findings: [] };

/** Puts the layers together: defaults < file < environment < flags. Never throws: what is wrong is in `findings`. */
export function loadConfig(options: LoadOptions): Loaded {
  const file = options.file ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const document = file === null ? NO_FILE : readFile(file);
  const sources: Sources = new Map();
  let written = overlay(schema, {}, { value: document.value, source: file ?? '', sources });
  const aliases = readAliases(options.env, written);
  const environment = readEnvironment(schema, options.env, written);
  const layers = [...aliases.values, ...environment.values, ...flagValues(options.flags ?? {})];
  for (const { path, value, source } of layers) {
    written = overlay(schema, written, { value: nest(path, value), source, sources });
  }
  const evaluated = evaluate(schema, withLatestRetained(written));
  const tree = withFormatMaps(withListedTopics(evaluated.tree));
  const values = readValues(tree);
  const found = [...document.findings, ...aliases.findings, ...environment.findings, ...evaluated.findings];
  const broken = brokenRules(values, { purpose: options.purpose, invalid: found.map(({ path }) => path) });
  const findings = [...found, ...broken].map((finding) =>
    described(finding, { sources, file, positions: document.positions }),
  );
  const chosen = (path: string): boolean => {
    const source = sources.get(path);
    return source !== undefined && (source !== file || !isDefault(path.split('.'), written));
  };
  return { config: resolve(values), tree, findings, file, chosen };
}

function isDefault(path: readonly string[], written: unknown): boolean {
  const node = nodeAt(path);
  const value = valueAt(written, path);
  return (
    node.kind === 'key' && JSON.stringify(node.format.read(node.default)) === JSON.stringify(node.format.read(value))
  );
}

interface FileDocument {
  readonly value: unknown;
  readonly positions: ReadonlyMap<string, Position>;
  readonly findings: Finding[];
}

function readFile(file: string): FileDocument {
  const nothing = new Map<string, Position>();
  const failed = (message: string): FileDocument => ({
    value: {},
    positions: nothing,
    findings: [{ path: file, message }],
  });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return failed(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  try {
    const { value, positions } = readYaml(text);
    return value === undefined || value === null || isObject(value)
      ? { value, positions, findings: [] }
      : failed('must be a map of keys');
  } catch (error) {
    if (error instanceof YamlError) return failed(error.message);
    throw error;
  }
}

function flagValues(
  flags: Readonly<Record<string, FlagValue | undefined>>,
): { path: string[]; value: unknown; source: string }[] {
  return Object.entries(flags).flatMap(([path, given]) => {
    if (given === undefined) return [];
    const value = formatAt(path.split('.'))(given.text);
    return [{ path: path.split('.'), value, source: given.flag }];
  });
}

function formatAt(path: readonly string[]): (text: string) => unknown {
  const node = nodeAt(path);
  if (node.kind !== 'key') throw new Error(`not a key: ${path.join('.')}`);
  return (text) => node.format.fromText(text);
}

function nodeAt(path: readonly string[]): Node {
  const node = path.reduce<Node | undefined>((at, name) => childOf(at, name), schema);
  if (node === undefined) throw new Error(`no such key: ${path.join('.')}`);
  return node;
}

interface Origins {
  readonly sources: Sources;
  readonly file: string | null;
  readonly positions: ReadonlyMap<string, Position>;
}

/** Adds where the value came from: the entry for the path itself, else for what it is part of. */
function described(finding: Finding, { sources, file, positions }: Origins): Finding {
  const message = maskQuoted(finding.message);
  const source = finding.source ?? nearest(sources, finding.path.replace(/\[\d+\]/g, ''));
  if (source === undefined || source === '') return { path: finding.path, message };
  const position = source === file ? nearest(positions, finding.path) : undefined;
  return { path: finding.path, message, source, ...position };
}

/** Finds what is noted for the path itself, or for the nearest of what it is part of. */
function nearest<T>(noted: ReadonlyMap<string, T>, path: string): T | undefined {
  const found = noted.get(path);
  const end = Math.max(path.lastIndexOf('.'), path.lastIndexOf('['));
  return found !== undefined || end < 0 ? found : nearest(noted, path.slice(0, end));
}

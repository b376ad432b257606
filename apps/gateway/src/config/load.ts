import { existsSync, readFileSync } from 'node:fs';
import { loadAll, YAMLException } from 'js-yaml';
import { readAliases } from './aliases.js';
import type { Config } from './config.js';
import { readEnvironment } from './language/environment.js';
import { evaluate } from './language/evaluate.js';
import type { Finding } from './language/finding.js';
import { maskUrls } from './language/mask.js';
import { readValues, resolve, withLatestRetained, withListedTopics } from './resolve.js';
import type { Purpose } from './rules/rule.js';
import { brokenRules } from './rules/all-rules.js';
import { schema } from './schema/schema.js';
import type { Node } from './language/schema-node.js';
import { childOf, isTree, nest, overlay, valueAt, type Sources, type Tree } from './language/tree.js';

export interface LoadOptions {
  /** Path given by the user; without it `config.yaml` of the working directory, when there is one. */
  readonly file?: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** By key path, from the command line. */
  readonly flags?: Readonly<Record<string, FlagValue | undefined>>;
  /** What has to be there depends on what is to be done. */
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
  /** null: no file, defaults and environment only. */
  readonly file: string | null;
  /** Whether somebody chose the value of this key. Writing the default into a file is no choice: examples do that. */
  chosen(path: string): boolean;
}

const DEFAULT_FILE = 'config.yaml';

/** Puts the layers together: defaults < file < environment < flags. Never throws: what is wrong is in `findings`. */
export function loadConfig(options: LoadOptions): Loaded {
  const file = options.file ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : null);
  const document = file === null ? { value: {}, findings: [] } : readFile(file);
  const sources: Sources = new Map();
  let written = overlay(schema, {}, { value: document.value, source: file ?? '', sources });
  const aliases = readAliases(options.env, written);
  const environment = readEnvironment(options.env, written);
  const layers = [...aliases.values, ...environment.values, ...flagValues(options.flags ?? {})];
  for (const { path, value, source } of layers) {
    written = overlay(schema, written, { value: nest(path, value), source, sources });
  }
  const evaluated = evaluate(schema, withLatestRetained(written));
  const tree = withListedTopics(evaluated.tree);
  const values = readValues(tree);
  const found = [...document.findings, ...aliases.findings, ...environment.findings, ...evaluated.findings];
  const broken = brokenRules(values, { purpose: options.purpose, invalid: found.map(({ path }) => path) });
  const findings = [...found, ...broken].map((finding) => described(finding, sources));
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

function readFile(file: string): { value: unknown; findings: Finding[] } {
  const failed = (message: string): { value: unknown; findings: Finding[] } => ({
    value: {},
    findings: [{ path: file, message }],
  });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return failed(`cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  try {
    const documents = loadAll(text);
    if (documents.length > 1) return failed('holds more than one YAML document');
    const [value] = documents;
    return value === undefined || value === null || isTree(value)
      ? { value, findings: [] }
      : failed('must be a map of keys');
  } catch (error) {
    // The whole message quotes lines of the file, and one of them may hold a secret.
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    return failed(`is not YAML: ${reason}${mark === undefined ? '' : `, line ${mark.line + 1}`}`);
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

/** Adds where the value came from: the entry for the path itself, else for what it is part of. */
function described(finding: Finding, sources: Sources): Finding {
  const message = maskUrls(finding.message);
  let path = finding.path.replace(/\[\d+\]/g, '');
  let source = finding.source ?? sources.get(path);
  while (source === undefined && path.includes('.')) {
    path = path.slice(0, path.lastIndexOf('.'));
    source = sources.get(path);
  }
  return source === undefined || source === ''
    ? { path: finding.path, message }
    : { path: finding.path, message, source };
}

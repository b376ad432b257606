import { readFileSync } from 'node:fs';
import { isObject } from '@ws-gateway/core';
import { jsonFromText } from './formats.js';
import type { Finding } from './finding.js';
import { walk, type AnyKey, type Section, type ListNode, type MapNode, type Node } from './schema-node.js';
import { valueAt } from './tree.js';

const ENV_PREFIX = 'WSGATEWAY_';
const FILE_SUFFIX = '_FILE';

/** One value that an environment variable gives. */
export interface EnvironmentValue {
  readonly path: readonly string[];
  readonly value: unknown;
  readonly source: string;
}

/**
 * Reads the variables that begin with WSGATEWAY_. `written` is what the file says: entries of maps have variables too,
 * and only the file knows their names. An empty variable counts as not set, because that is what compose files and
 * charts make of a variable that nobody gave.
 */
export function readEnvironment(
  schema: Section,
  env: NodeJS.ProcessEnv,
  written: unknown,
): { values: EnvironmentValue[]; findings: Finding[] } {
  const targets = environmentTargets(schema, written);
  const values: EnvironmentValue[] = [];
  const findings: Finding[] = [];
  for (const [variable, given] of Object.entries(env)) {
    if (!variable.startsWith(ENV_PREFIX) || given === undefined || given === '') continue;
    const { name, target } = targetOf(targets, variable);
    if (target === undefined) {
      findings.push({ path: variable, message: 'no key of the configuration has this variable' });
      continue;
    }
    if (name !== variable && env[name]) continue;
    const text = secretText(env, name, findings);
    if (text !== '')
      values.push({ path: target.path, value: fromText(target.node, text), source: `environment ${variable}` });
  }
  // A map as a whole comes before its entries, so that the more special variable wins.
  values.sort((a, b) => a.path.length - b.path.length);
  return { values, findings };
}

/**
 * Reads a secret: the text of its variable, or that of the file which the variable with `_FILE` names, without its
 * final line break. '' when nothing is given.
 */
export function secretText(env: NodeJS.ProcessEnv, variable: string, findings: Finding[]): string {
  const text = env[variable] ?? '';
  const file = env[variable + FILE_SUFFIX] ?? '';
  if (file === '') return text;
  const path = variable + FILE_SUFFIX;
  if (text !== '') {
    findings.push({ path, message: `must not be set together with ${variable}` });
    return text;
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? String(error);
    findings.push({ path, message: `must name a file that can be read, not ${file}: ${reason}` });
    return '';
  }
}

/** Names the variable of a key: `server.readTimeout` is WSGATEWAY_SERVER_READ_TIMEOUT. */
export function environmentName(path: readonly string[]): string {
  return ENV_PREFIX + path.map(upperSnake).join('_');
}

interface Target {
  readonly path: readonly string[];
  readonly node: AnyKey | MapNode | ListNode;
}

/** Finds what a variable sets. One with `_FILE` stands for the one without, where that is of a secret. */
function targetOf(targets: ReadonlyMap<string, Target>, variable: string): { name: string; target?: Target } {
  const target = targets.get(variable);
  if (target !== undefined || !variable.endsWith(FILE_SUFFIX)) return { name: variable, ...(target && { target }) };
  const name = variable.slice(0, -FILE_SUFFIX.length);
  const secret = targets.get(name);
  return secret !== undefined && isSecret(secret.node) ? { name, target: secret } : { name: variable };
}

function isSecret(node: Node): boolean {
  if (node.kind === 'map') return isSecret(node.entry);
  return node.kind === 'key' && node.secret === true;
}

/** Lists both spellings of each key's variable: READ_TIMEOUT and READTIMEOUT. */
function environmentTargets(schema: Section, written: unknown): Map<string, Target> {
  const targets = new Map<string, Target>();
  const add = (path: readonly string[], node: Node): void => {
    if (node.kind === 'group') return;
    const target = { path, node: node as Target['node'] };
    targets.set(ENV_PREFIX + path.map(upper).join('_'), target);
    targets.set(environmentName(path), target);
  };
  for (const [path, node] of walk(schema)) {
    add(path, node);
    if (node.kind !== 'map') continue;
    for (const name of entryNames(path, node, written)) addEntry(add, [...path, name], node.entry);
  }
  return targets;
}

function addEntry(
  add: (path: readonly string[], node: Node) => void,
  path: readonly string[],
  entry: MapNode['entry'],
): void {
  if (entry.kind === 'key') return add(path, entry);
  for (const [inner, node] of walk(entry as Section)) add([...path, ...inner], node);
}

function entryNames(path: readonly string[], node: MapNode, written: unknown): Set<string> {
  const names = new Set(Object.keys(node.presets));
  const map = valueAt(written, path);
  if (isObject(map)) for (const name of Object.keys(map)) names.add(name);
  const listed = node.namesFrom === undefined ? [] : valueAt(written, node.namesFrom);
  if (Array.isArray(listed)) for (const name of listed) if (typeof name === 'string') names.add(name);
  return names;
}

/**
 * Turns the text into written form. Maps and lists of maps are JSON; the format of a key knows how its own text reads.
 */
function fromText(node: Target['node'], text: string): unknown {
  return node.kind === 'key' ? node.format.fromText(text) : jsonFromText(text);
}

function upper(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '_').toUpperCase();
}

function upperSnake(name: string): string {
  return upper(name.replace(/([a-z0-9])([A-Z])/g, '$1_$2'));
}

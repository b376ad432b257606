import type { BackendRequest } from '@ws-gateway/core';
import type { BackendCall } from './backend-caller.js';
import { NO_ENTRY, type CommandEntry } from './command-entry.js';
import { CommandTableError } from './command-table-error.js';
import { parseExact, scalarText } from './json-text.js';
import { isOptionType, optionProblem } from './option-type.js';
import { sourceValue, valueAt, type SourceValues } from './sources.js';

/** A value of the options cannot be used in the call: the client's mistake. */
export class BadOptionError extends Error {
  override readonly name = 'BadOptionError';
}

/** One command, ready to use: its entry complete and checked. */
export class Command {
  readonly entry: CommandEntry;
  readonly #endpoints: ReadonlySet<string>;

  /** Throws CommandTableError. */
  constructor(name: string, given: Partial<CommandEntry>) {
    const entry = { ...NO_ENTRY, ...given };
    if (entry.endpoints.length === 0)
      throw new CommandTableError('bad_command', `commands.${name}.endpoints: must name at least one`);
    if (entry.backend === '')
      throw new CommandTableError('bad_command', `commands.${name}.backend: must name an entry of backends.http`);
    for (const [path, type] of Object.entries(entry.options)) {
      if (isOptionType(type)) continue;
      throw new CommandTableError('bad_command', `commands.${name}.options.${path}: must be a type, not ${type}`);
    }
    this.entry = entry;
    this.#endpoints = new Set(entry.endpoints);
  }

  on(endpoint: string): boolean {
    return this.#endpoints.has(endpoint);
  }

  /** Tells what is wrong with the options, or null. */
  problem(options: unknown): string | null {
    for (const [path, type] of Object.entries(this.entry.options)) {
      const value = valueAt(options, path);
      const problem = value === undefined ? null : optionProblem(type, value);
      if (problem !== null) return `options.${path} ${problem}`;
    }
    const missing = this.entry.required.find((path) => valueAt(options, path) === undefined);
    return missing === undefined ? null : `options.${missing} is missing`;
  }

  /** Makes the call. Throws BadOptionError when a value cannot stand in the path. */
  call(base: URL, { optionsText, authorization: given, user }: BackendRequest): Omit<BackendCall, 'timeoutMs'> {
    const request = { options: parseExact(optionsText), user };
    const { method, path, query, body, authorization } = this.entry;
    const url = new URL(base);
    // An empty path leaves the backend's URL as it was configured, with or without its last slash.
    if (path !== '') url.pathname = base.pathname.replace(/\/$/, '') + filledPath(path, request);
    for (const [name, source] of Object.entries(query))
      for (const value of queryValues(sourceValue(source, request))) url.searchParams.append(name, value);
    const credentials = authorization === '' ? given : sourceValue(authorization, request);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (typeof credentials === 'string' && credentials !== '') headers['authorization'] = credentials;
    const bodySources = Object.entries(body);
    if (bodySources.length === 0) return { url, method, headers, body: null };
    headers['content-type'] = 'application/json';
    const members = bodySources.map(([name, source]) => [name, sourceValue(source, request)]);
    return { url, method, headers, body: JSON.stringify(Object.fromEntries(members)) };
  }
}

/**
 * Fills the path. A value stays one segment: `.` and `..` would walk to another resource, also when percent-encoded.
 */
function filledPath(template: string, request: SourceValues): string {
  return template.replaceAll(/\{([^{}]+)\}/g, (_, source: string) => {
    const text = scalarText(sourceValue(source, request)) ?? '';
    if (text === '' || text === '.' || text === '..' || !text.isWellFormed())
      throw new BadOptionError(`options.${source} cannot be part of a path`);
    return encodeURIComponent(text);
  });
}

/**
 * Lists the values of a query parameter. A list becomes one parameter per item (`type=a&type=b`), as services that take
 * `type` several times expect it: the names are singular, and no separator is needed that a value could contain.
 */
function queryValues(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(queryValues);
  return [typeof value === 'string' ? value : JSON.stringify(value)];
}

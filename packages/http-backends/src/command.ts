import type { BackendRequest } from '@ws-gateway/core';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import type { BackendCall } from './backend-caller.js';
import { CommandTableError } from './command-table-error.js';
import type { CommandSpec } from './command-spec.js';
import { parseExact, scalarText } from './json-text.js';
import { sourceValue, valueAt, type SourceValues } from './sources.js';

/** A value of the options can't be used in the call: the client's mistake. */
export class BadOptionError extends Error {
  override readonly name = 'BadOptionError';
}

/** One command, ready to use: its schema compiled, its spec checked. */
export class Command {
  readonly spec: CommandSpec;
  readonly #endpoints: ReadonlySet<string>;
  readonly #validate: ValidateFunction | null;

  /** Throws CommandTableError. */
  constructor(spec: CommandSpec, ajv: Ajv) {
    if (spec.endpoints.length === 0)
      throw new CommandTableError('bad_command', `commands.${spec.name}.endpoints: empty`);
    if (spec.backend === '') throw new CommandTableError('bad_command', `commands.${spec.name}.backend: not set`);
    this.spec = spec;
    this.#endpoints = new Set(spec.endpoints);
    this.#validate = spec.options === undefined ? null : compiled(spec.name, spec.options, ajv);
  }

  on(endpoint: string): boolean {
    return this.#endpoints.has(endpoint);
  }

  /** What is wrong with the options, or null. */
  problem(options: unknown): string | null {
    const validate = this.#validate;
    if (validate !== null && !validate(options)) return problemText(validate.errors?.[0]);
    const missing = this.spec.required?.find((path) => valueAt(options, path) === undefined);
    return missing === undefined ? null : `options.${missing} is missing`;
  }

  /** Throws BadOptionError when a value can't stand in the path. */
  call(base: URL, { optionsText, authorization: given, user }: BackendRequest): Omit<BackendCall, 'timeoutMs'> {
    const request = { options: parseExact(optionsText), user };
    const { method = 'GET', path = '', query = {}, body, authorization } = this.spec;
    const url = new URL(base);
    // An empty path leaves the backend's URL as it was configured, with or without its last slash.
    if (path !== '') url.pathname = base.pathname.replace(/\/$/, '') + filledPath(path, request);
    for (const [name, source] of Object.entries(query))
      for (const value of queryValues(sourceValue(source, request))) url.searchParams.append(name, value);
    const credentials = authorization === undefined ? given : sourceValue(authorization, request);
    const headers: Record<string, string> = { accept: 'application/json' };
    if (typeof credentials === 'string' && credentials !== '') headers['authorization'] = credentials;
    if (body === undefined) return { url, method, headers, body: null };
    headers['content-type'] = 'application/json';
    const members = Object.entries(body).map(([name, source]) => [name, sourceValue(source, request)]);
    return { url, method, headers, body: JSON.stringify(Object.fromEntries(members)) };
  }
}

function compiled(name: string, schema: Readonly<Record<string, unknown>>, ajv: Ajv): ValidateFunction {
  try {
    return ajv.compile(schema);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'no JSON schema';
    throw new CommandTableError('bad_command', `commands.${name}.options: ${reason}`, { cause });
  }
}

function problemText(error: ErrorObject | undefined): string {
  const path = (error?.instancePath ?? '').replaceAll('/', '.');
  return `options${path} ${error?.message ?? 'are not as expected'}`;
}

/** A value stays one segment: `.` and `..` would walk to another resource, also when percent-encoded. */
function filledPath(template: string, request: SourceValues): string {
  return template.replaceAll(/\{([^{}]+)\}/g, (_, source: string) => {
    const text = scalarText(sourceValue(source, request)) ?? '';
    if (text === '' || text === '.' || text === '..' || !text.isWellFormed())
      throw new BadOptionError(`options.${source} can not be part of a path`);
    return encodeURIComponent(text);
  });
}

/**
 * A list becomes one parameter per item (`type=a&type=b`), as services that take `type` several times expect it: the names are singular, and no
 * separator is needed that a value could contain.
 */
function queryValues(value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(queryValues);
  return [typeof value === 'string' ? value : JSON.stringify(value)];
}

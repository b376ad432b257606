import type { Config } from '../config/config.js';
import { configured, flag, type ConfigFlags } from './configured.js';
import { badUsage, failure, fetchReasonOf, type CliError } from './exit.js';

export interface AdminFlags extends ConfigFlags {
  readonly url?: string;
  readonly adminToken?: string;
  readonly json?: true;
}

export const urlOption = [
  '--url <url>',
  'any node of the gateway (default: this machine, with ops.port or server.port of the configuration)',
] as const;

export const adminTokenOption = [
  '--admin-token <token>',
  'token of the admin API (default: admin.token of the configuration or WSGATEWAY_ADMIN_TOKEN)',
] as const;

const TIMEOUT_MS = 10_000;

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string };
}

/** Calls the admin API of a running gateway. Every failure ends the command with one line. */
export class AdminClient {
  readonly #base: string;
  readonly #token: string;

  /** Ends the command with exit code 2 when the flags and the configuration name no gateway and token to use. */
  constructor(flags: AdminFlags) {
    const config = configured(flags, 'tool', { 'admin.token': flag('admin-token', flags.adminToken) });
    if (config.admin.token === '') {
      throw badUsage('admin.token: missing; set WSGATEWAY_ADMIN_TOKEN to the admin token of the gateway');
    }
    this.#base = baseUrl(flags.url, config);
    this.#token = config.admin.token;
  }

  /** Makes one call; `body` is JSON text. Resolves to the answer, whose shape `Answer` openapi.json defines. */
  async call<Answer>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: string): Promise<Answer> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(this.#base + path, {
        method,
        headers: { authorization: `Bearer ${this.#token}` },
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body }),
      });
      text = await response.text();
    } catch (error) {
      throw failure(`${this.#base}: ${fetchReasonOf(error)}`, error);
    }
    const answer = parsed(text);
    if (response.ok && answer !== null) return answer as Answer;
    throw this.#refused(response.status, answer);
  }

  /** Asks for an answer that goes on; resolves to its pieces once it has begun. */
  async listen(path: string): Promise<AsyncIterable<Uint8Array>> {
    let response: Response;
    try {
      response = await fetch(this.#base + path, { headers: { authorization: `Bearer ${this.#token}` } });
    } catch (error) {
      throw failure(`${this.#base}: ${fetchReasonOf(error)}`, error);
    }
    if (response.ok && response.body !== null) return response.body;
    throw this.#refused(response.status, parsed(await response.text()));
  }

  #refused(status: number, answer: ErrorBody | null): CliError {
    const { code, message } = answer?.error ?? {};
    if (code === 'unknown_endpoint') {
      return failure(`${this.#base} has no admin API: admin.token is not set there, or it is another program`);
    }
    const said = code === undefined ? `HTTP ${status}, which is no answer of the admin API` : `${message} (${code})`;
    return status === 400 ? badUsage(`${this.#base}: ${said}`) : failure(`${this.#base}: ${said}`);
  }
}

function baseUrl(url: string | undefined, config: Config): string {
  if (url === undefined) {
    const { ops, server } = config;
    if (ops.port !== 0) return `http://localhost:${ops.port}`;
    return `${server.tls === null ? 'http' : 'https'}://localhost:${server.port}`;
  }
  const parsedUrl = URL.parse(url.replace(/^ws/, 'http'));
  if (parsedUrl !== null && /^https?:$/.test(parsedUrl.protocol)) return parsedUrl.origin;
  throw badUsage(`--url: ${JSON.stringify(url)} is not http:// or https:// and a host`);
}

function parsed(text: string): ErrorBody | null {
  try {
    return JSON.parse(text) as ErrorBody | null;
  } catch {
    // This is some other program's answer: its status says enough.
    return null;
  }
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

import type {
  BackendCommands,
  BackendOutcome,
  BackendRequest,
  BackendRequestStats,
  BackendSubscription,
} from '@ws-gateway/core';
import { Ajv } from 'ajv';
import { BackendCaller, BackendCallError, type BackendAnswer, type BackendCall } from './backend-caller.js';
import { BadOptionError, Command } from './command.js';
import { CommandTableError } from './command-table-error.js';
import type { CommandSpec } from './command-spec.js';
import { mistaken, outcomeOf, refused } from './outcome.js';
import { NoPlaceError, RequestPlaces } from './request-places.js';
import { subscriptionOf } from './subscription-id.js';

/** The `backends` section, as far as HTTP goes. */
export interface BackendsOptions {
  /** Calls at once, over all backends. */
  readonly requestPoolSize: number;
  /** Calls that wait for a place. */
  readonly requestQueueSize: number;
  /** An empty URL counts as not configured. */
  readonly http: Readonly<Record<string, { readonly url: string; readonly timeoutMs: number }>>;
  /** An answer above this is an error; default 1 MB. */
  readonly responseBytesMax?: number;
}

const RESPONSE_BYTES_MAX = 1024 * 1024;

/** Throws CommandTableError, whose message starts with the key path. Nothing is connected before the first command. */
export function createCommandTable(
  specs: readonly CommandSpec[],
  backends: BackendsOptions,
  stats: BackendRequestStats,
): CommandTable {
  return new CommandTable(specs, backends, stats);
}

/**
 * BackendCommands over HTTP: commands as data, each answered by one call. Bounded in calls, in waiters, in time (a wait
 * and a call, each at most the backend's timeout) and in the size of the answer.
 */
export class CommandTable implements BackendCommands {
  readonly #commands = new Map<string, Command>();
  readonly #backends = new Map<string, Backend>();
  readonly #places: RequestPlaces;
  readonly #caller: BackendCaller;
  readonly #stats: BackendRequestStats;

  constructor(specs: readonly CommandSpec[], options: BackendsOptions, stats: BackendRequestStats) {
    this.#stats = stats;
    const ajv = new Ajv({ allowUnionTypes: true, logger: false });
    for (const spec of specs) {
      if (this.#commands.has(spec.name))
        throw new CommandTableError('duplicate_command', `commands.${spec.name}: there twice`);
      this.#commands.set(spec.name, new Command(spec, ajv));
    }
    for (const [name, { url, timeoutMs }] of Object.entries(options.http))
      if (url !== '') this.#backends.set(name, { name, base: baseUrl(name, url), timeoutMs });
    this.#places = new RequestPlaces(options.requestPoolSize, options.requestQueueSize, stats);
    this.#caller = new BackendCaller({
      connectionsMax: options.requestPoolSize,
      timeoutMsMax: Math.max(1, ...[...this.#backends.values()].map(({ timeoutMs }) => timeoutMs)),
      responseBytesMax: options.responseBytesMax ?? RESPONSE_BYTES_MAX,
    });
  }

  has(name: string, endpoint: string): boolean {
    return this.#find(name, endpoint) !== undefined;
  }

  /** null also when the request will be refused anyway: nobody is subscribed for nothing. */
  subscriptionOf(name: string, request: BackendRequest): BackendSubscription | null {
    const command = this.#find(name, request.endpoint);
    if (command?.spec.subscription === undefined) return null;
    if (!this.#backends.has(command.spec.backend) || command.problem(request.options) !== null) return null;
    return subscriptionOf(command.spec.subscription, request);
  }

  callKey(name: string, request: BackendRequest): string {
    const command = this.#find(name, request.endpoint);
    const backend = command === undefined ? undefined : this.#backends.get(command.spec.backend);
    try {
      if (command === undefined || backend === undefined) return JSON.stringify([name, request]);
      const { url, method, headers, body } = command.call(backend.base, request);
      return JSON.stringify([name, method, url.href, headers, body]);
    } catch (error) {
      if (error instanceof BadOptionError) return JSON.stringify([name, request]);
      throw error;
    }
  }

  async execute(name: string, request: BackendRequest): Promise<BackendOutcome> {
    const command = this.#find(name, request.endpoint);
    if (command === undefined) return refused('unknown_command', 'this endpoint has no such command');
    const problem = command.problem(request.options);
    if (problem !== null) return mistaken(problem);
    const { spec } = command;
    const backend = this.#backends.get(spec.backend);
    if (backend === undefined) return refused('unavailable', `backends.http.${spec.backend}.url is not configured`);
    try {
      const call = { ...command.call(backend.base, request), timeoutMs: backend.timeoutMs };
      const answer = await this.#places.run(backend.name, backend.timeoutMs, () => this.#timed(name, call));
      const outcome = outcomeOf(spec, answer);
      if (outcome.status !== 'ok') this.#stats.failed(name, reasonOf(answer.status));
      return outcome;
    } catch (error) {
      return this.#failure(name, error);
    }
  }

  /** Ends all connections; calls under way end as errors. */
  close(): Promise<void> {
    return this.#caller.close();
  }

  #find(name: string, endpoint: string): Command | undefined {
    const command = this.#commands.get(name);
    if (command === undefined || !command.on(endpoint)) return undefined;
    const { onlyWithBackend, backend } = command.spec;
    return onlyWithBackend === true && !this.#backends.has(backend) ? undefined : command;
  }

  async #timed(name: string, call: BackendCall): Promise<BackendAnswer> {
    const beganMs = performance.now();
    try {
      return await this.#caller.call(call);
    } finally {
      this.#stats.observe(name, (performance.now() - beganMs) / 1000);
    }
  }

  #failure(name: string, error: unknown): BackendOutcome {
    if (error instanceof BadOptionError) return mistaken(error.message);
    if (error instanceof NoPlaceError) {
      this.#stats.failed(name, 'busy');
      return refused('busy', error.message);
    }
    if (!(error instanceof BackendCallError)) throw error;
    this.#stats.failed(name, error.code);
    return refused(error.code === 'timeout' ? 'backend_timeout' : 'backend_error', error.message);
  }
}

/** Of an answer that was no success. */
function reasonOf(status: number): string {
  return status >= 200 && status < 300 ? 'bad_answer' : `status_${Math.floor(status / 100)}xx`;
}

interface Backend {
  readonly name: string;
  readonly base: URL;
  readonly timeoutMs: number;
}

function baseUrl(name: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandTableError('bad_backend', `backends.http.${name}.url: not an http or https URL`);
  url.hash = '';
  return url;
}

import { hash } from 'node:crypto';
import type {
  BackendCommands,
  BackendOutcome,
  BackendRequest,
  BackendRequestStats,
  BackendSubscription,
  BackendTurn,
} from '@ws-gateway/core';
import { BackendCaller, BackendCallError, type BackendAnswer, type BackendCall } from './backend-caller.js';
import { CircuitBreaker, CircuitOpenError } from './circuit-breaker.js';
import { BadOptionError, Command } from './command.js';
import { CommandTableError } from './command-table-error.js';
import type { CommandEntries } from './command-entry.js';
import { CallerGoneError, ConcurrencyLimiter, QueueFullError } from './concurrency-limiter.js';
import { mistaken, outcomeOf, refused } from './outcome.js';
import { subscriptionOf } from './subscription-id.js';

/** The `backends` section, as far as HTTP goes. */
export interface BackendsOptions {
  /** Number of calls at once, over all backends. */
  readonly requestPoolSize: number;
  /** Number of calls that wait for a place. */
  readonly requestQueueSize: number;
  /** Backends by name; an empty URL counts as not configured. */
  readonly http: Readonly<Record<string, { readonly url: string; readonly timeoutMs: number }>>;
  /** Bytes of an answer above which it is an error; default 1 MB. */
  readonly responseBytesMax?: number;
}

const RESPONSE_BYTES_MAX = 1024 * 1024;

/**
 * Makes the table. Throws CommandTableError, whose message starts with the key path. Nothing is connected before the
 * first command.
 */
export function createCommandTable(
  entries: CommandEntries,
  backends: BackendsOptions,
  stats: BackendRequestStats,
): CommandTable {
  return new CommandTable(entries, backends, stats);
}

/**
 * BackendCommands over HTTP: commands as data, each answered by one call. Bounded in calls, in waiters, in time (a wait
 * and a call, each at most the backend's timeout) and in size and nesting of the answer. A backend that gives no answer
 * is left alone for a while (see CircuitBreaker), and never takes the places of the others (see ConcurrencyLimiter).
 */
export class CommandTable implements BackendCommands {
  readonly #commands = new Map<string, Command>();
  readonly #backends = new Map<string, Backend>();
  readonly #limiter: ConcurrencyLimiter;
  readonly #caller: BackendCaller;
  readonly #stats: BackendRequestStats;

  constructor(entries: CommandEntries, options: BackendsOptions, stats: BackendRequestStats) {
    this.#stats = stats;
    for (const [name, entry] of Object.entries(entries)) this.#commands.set(name, new Command(name, entry));
    for (const [name, { url, timeoutMs }] of Object.entries(options.http))
      if (url !== '')
        this.#backends.set(name, { name, base: baseUrl(name, url), timeoutMs, breaker: new CircuitBreaker(isSilence) });
    const { requestPoolSize: size, requestQueueSize: queueSize } = options;
    this.#limiter = new ConcurrencyLimiter({ size, queueSize, backends: [...this.#backends.keys()] }, stats);
    this.#caller = new BackendCaller({
      connectionsMax: options.requestPoolSize,
      timeoutMsMax: Math.max(1, ...[...this.#backends.values()].map(({ timeoutMs }) => timeoutMs)),
      responseBytesMax: options.responseBytesMax ?? RESPONSE_BYTES_MAX,
    });
  }

  has(name: string, endpoint: string): boolean {
    return this.#find(name, endpoint) !== undefined;
  }

  /** Returns null also when the request will be refused anyway: nobody is subscribed for nothing. */
  subscriptionOf(name: string, request: BackendRequest): BackendSubscription | null {
    const command = this.#find(name, request.endpoint);
    if (command === undefined || command.entry.subscribe === '') return null;
    if (!this.#backends.has(command.entry.backend) || command.problem(request.options) !== null) return null;
    return subscriptionOf(command.entry, request);
  }

  callKey(name: string, request: BackendRequest): string {
    return hash('sha256', JSON.stringify(this.#callTraits(name, request)), 'base64');
  }

  #callTraits(name: string, request: BackendRequest): unknown {
    const command = this.#find(name, request.endpoint);
    const backend = command === undefined ? undefined : this.#backends.get(command.entry.backend);
    if (command === undefined || backend === undefined) return [name, request];
    try {
      const { url, method, headers, body } = command.call(backend.base, request);
      return [name, method, url.href, headers, body];
    } catch (error) {
      if (error instanceof BadOptionError) return [name, request];
      throw error;
    }
  }

  async execute(name: string, request: BackendRequest, turn: BackendTurn = {}): Promise<BackendOutcome> {
    const command = this.#find(name, request.endpoint);
    if (command === undefined) return refused('unknown_command', 'this endpoint has no such command');
    const problem = command.problem(request.options);
    if (problem !== null) return mistaken(problem);
    const { entry } = command;
    const backend = this.#backends.get(entry.backend);
    if (backend === undefined) return refused('unavailable', `backends.http.${entry.backend}.url is not configured`);
    try {
      const call = { ...command.call(backend.base, request), timeoutMs: backend.timeoutMs };
      const answer = await this.#ask(name, { backend, call, turn });
      const outcome = outcomeOf(entry, answer);
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
    const { onlyWithBackend, backend } = command.entry;
    return onlyWithBackend && !this.#backends.has(backend) ? undefined : command;
  }

  /**
   * Asks the backend. The breaker is looked at before and after the wait: nobody queues for a backend that is left
   * alone, or is kept in the queue for it.
   */
  async #ask(
    name: string,
    { backend, call, turn }: { backend: Backend; call: BackendCall; turn: BackendTurn },
  ): Promise<BackendAnswer> {
    const { name: backendName, timeoutMs, breaker } = backend;
    const { client = null, patient = false } = turn;
    // What a client has asked to be done is done, also when it leaves right behind its request.
    const isGone = call.method === 'GET' ? turn.isGone : undefined;
    const attempt = (): Promise<BackendAnswer> => breaker.run(() => this.#timed(name, call));
    if (breaker.isOpen) return attempt();
    return this.#limiter.run({ backend: backendName, client, waitMsMax: timeoutMs, patient, isGone }, attempt);
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
    if (error instanceof QueueFullError) {
      this.#stats.failed(name, 'busy');
      return refused('busy', error.message);
    }
    if (error instanceof CallerGoneError) return refused('unavailable', error.message);
    if (error instanceof CircuitOpenError) {
      this.#stats.failed(name, 'circuit_open');
      return refused('backend_error', error.message);
    }
    if (!(error instanceof BackendCallError)) throw error;
    this.#stats.failed(name, error.code);
    return refused(error.code === 'timeout' ? 'backend_timeout' : 'backend_error', error.message);
  }
}

/** Reason of an answer that was no success. */
function reasonOf(status: number): string {
  return status >= 200 && status < 300 ? 'bad_answer' : `status_${Math.floor(status / 100)}xx`;
}

interface Backend {
  readonly name: string;
  readonly base: URL;
  readonly timeoutMs: number;
  readonly breaker: CircuitBreaker;
}

/** Tells whether the backend gave no answer; an answer that is too large is one. */
function isSilence(error: unknown): boolean {
  return error instanceof BackendCallError && error.code !== 'too_large';
}

function baseUrl(name: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new CommandTableError('bad_backend', `backends.http.${name}.url: must be an http or https URL`);
  url.hash = '';
  return url;
}

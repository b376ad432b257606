import { closeReason } from '../../close-codes.js';
import { EngineError } from '../../errors.js';
import { responseFrame, responseTextFrame } from '../../frame.js';
import type { Logger } from '../../logger.js';
import type { EdgeStats } from '../../stats.js';
import type { BackendCommandHandler } from './backend-command-handler.js';
import type { Connection } from '../delivery/connection.js';
import { rateLimited, type CommandHandler, type CommandHandlers, type Outcome } from './outcome.js';
import { RefusalError, type RefusalCode } from '../refusals.js';
import { glanceAt, GLANCE_BYTES, parseRequest, type ClientRequest } from './client-request.js';
import type { Sender } from '../delivery/sender.js';
import { limitRequest, type RequestRate } from '../rate-limits.js';

/** Codes of answers to commands, besides those of refusals. */
export const requestErrorCodes = ['unknown_command', 'duplicate_rid', 'rate_limited', 'internal_error'] as const;

type RequestErrorCode = (typeof requestErrorCodes)[number];

export interface RequestLimits extends RequestRate {
  readonly badRequests: number;
}

interface DispatcherOptions {
  readonly limits: RequestLimits;
  /** Commands that may make the connection another user's. */
  readonly loginCommands: ReadonlySet<string>;
}

interface RequestDeps {
  readonly sender: Sender;
  readonly backends: BackendCommandHandler;
  readonly stats: EdgeStats;
  readonly logger: Logger;
}

/**
 * Answers what clients ask: exactly one answer a request. Nothing a client sends ends the process or another's
 * connection; too many mistakes or too high a rate end its own.
 */
export class CommandDispatcher {
  readonly #deps: RequestDeps;
  readonly #handlers: ReadonlyMap<string, CommandHandler>;
  readonly #options: DispatcherOptions;
  /** Connections with an `authentication` in flight. */
  readonly #waiting = new Map<Connection, WaitingRequests>();
  readonly #decoder = new TextDecoder();

  constructor(deps: RequestDeps, handlers: CommandHandlers, options: DispatcherOptions) {
    this.#deps = deps;
    this.#handlers = new Map(Object.entries(handlers));
    this.#options = options;
  }

  receive(connection: Connection, frame: ArrayBuffer): void {
    // Before anything is parsed: what a frame costs is known by its length.
    const verdict = limitRequest(connection, this.#options.limits, frame.byteLength, performance.now());
    if (verdict === 'close') {
      this.#deps.sender.close(connection, closeReason('rate_limited'));
      return;
    }
    if (verdict === 'rate_limited') {
      this.#refuseSurplus(connection, frame);
      return;
    }
    const parsed = parseRequest(this.#decoder.decode(frame));
    if (parsed.ok) {
      this.#dispatch(connection, parsed.request);
      return;
    }
    this.#deps.stats.messagesReceived.add('invalid');
    const payload = { code: 'bad_request', message: parsed.message };
    this.#send(connection, responseFrame(parsed.rid, parsed.event, 'error', payload));
    this.#countBad(connection);
  }

  /** Answered by its number where that is easily read, else by rid -1. */
  #refuseSurplus(connection: Connection, frame: ArrayBuffer): void {
    const code: RequestErrorCode = 'rate_limited';
    const { requestsPerSecond, requestBytesPerSecond } = this.#options.limits;
    const message = `at most ${requestsPerSecond} requests and ${requestBytesPerSecond} bytes a second`;
    const { rid, command } = glanceAt(this.#decoder.decode(frame.slice(0, GLANCE_BYTES)));
    const known = rid !== null && connection.ridsInFlight?.has(rid) !== true;
    const [to, event] = known ? [rid, command] : [-1, 'error'];
    this.#send(connection, responseFrame(to, event, 'error', { code, message }));
  }

  #dispatch(connection: Connection, request: ClientRequest): void {
    const { command, rid } = request;
    const handler = this.#handlerOf(connection, command);
    this.#deps.stats.messagesReceived.add(handler === undefined ? 'unknown' : command);
    if (handler === undefined) {
      this.#fail(connection, request, 'unknown_command', `${connection.endpoint.path} has no such command`);
      return;
    }
    if (rid !== null && connection.ridsInFlight?.has(rid) === true) {
      this.#fail(connection, request, 'duplicate_rid', `request ${rid} is still being answered`);
      return;
    }
    const waiting = this.#waiting.get(connection);
    if (waiting === undefined) this.#run(connection, request, handler);
    else this.#wait(connection, request, waiting);
  }

  /** Waits for an `authentication` in flight: whose request this is will be known when that is answered. */
  #wait(connection: Connection, request: ClientRequest, waiting: WaitingRequests): void {
    if (!waiting.add(request)) {
      this.#answer(connection, request, rateLimited('too much waits for the answer to an authentication'));
      return;
    }
    if (request.rid !== null) (connection.ridsInFlight ??= new Set()).add(request.rid);
  }

  /** Runs what has waited, in order, up to the next `authentication`. */
  #resume(connection: Connection): void {
    const waiting = this.#waiting.get(connection);
    this.#waiting.delete(connection);
    for (let request = waiting?.shift(); request !== undefined; request = waiting?.shift()) {
      if (request.rid !== null) connection.ridsInFlight?.delete(request.rid);
      if (connection.state === 'open') this.#run(connection, request, this.#handlerOf(connection, request.command)!);
      if (!this.#waiting.has(connection)) continue;
      this.#waiting.set(connection, waiting!);
      return;
    }
  }

  #run(connection: Connection, request: ClientRequest, handler: CommandHandler): void {
    try {
      const outcome = handler(connection, request);
      const { bareInFlight } = connection;
      if (bareInFlight !== null) this.#begin(connection, request, afterBoth(bareInFlight, outcome));
      else if (outcome instanceof Promise) this.#begin(connection, request, outcome);
      else this.#answer(connection, request, outcome);
    } catch (error) {
      this.#answerError(connection, request, error);
    }
  }

  #handlerOf(connection: Connection, command: string): CommandHandler | undefined {
    return this.#handlers.get(command) ?? this.#deps.backends.handlerOf(command, connection.endpoint.path);
  }

  /** A bare frame gets no answer: that it is done is told by the answer to whatever is asked after it. */
  #begin(connection: Connection, request: ClientRequest, outcome: Promise<Outcome>): void {
    const settled = this.#settle(connection, request, outcome);
    if (this.#options.loginCommands.has(request.command)) {
      this.#waiting.set(connection, new WaitingRequests());
      settled.then(() => this.#resume(connection)).catch((error: unknown) => this.#failed(error));
    }
    if (request.rid !== null) return;
    connection.bareInFlight = settled;
    settled
      .then(() => {
        if (connection.bareInFlight === settled) connection.bareInFlight = null;
      })
      .catch((error: unknown) => this.#failed(error));
  }

  /** Logs a failure: nothing that a client sends ends the process. */
  #failed(error: unknown): void {
    this.#deps.logger.error('request failed', { error });
  }

  async #settle(connection: Connection, request: ClientRequest, outcome: Promise<Outcome>): Promise<void> {
    const inFlight = (connection.ridsInFlight ??= new Set());
    if (request.rid !== null) inFlight.add(request.rid);
    const { sinceMs } = connection.login;
    try {
      const settled = await outcome;
      if (request.rid !== null) inFlight.delete(request.rid);
      // What it subscribed to was left with the user whose it was.
      if (settled.after !== undefined && connection.login.sinceMs !== sinceMs)
        throw new RefusalError('user_mismatch', 'the user of the connection has changed');
      this.#answer(connection, request, settled);
    } catch (error) {
      if (request.rid !== null) inFlight.delete(request.rid);
      this.#answerError(connection, request, error);
    }
  }

  #answerError(connection: Connection, request: ClientRequest, error: unknown): void {
    if (error instanceof RefusalError) {
      const payload = { code: error.code, message: error.message, ...error.details };
      this.#answer(connection, request, { status: error.commandStatus, payload });
      if (error.code === 'bad_request') this.#countBad(connection);
      return;
    }
    const code: RequestErrorCode | RefusalCode = error instanceof EngineError ? 'unavailable' : 'internal_error';
    if (code === 'internal_error') this.#deps.logger.error('request failed', { command: request.command, error });
    this.#answer(connection, request, { status: 'error', payload: { code, message: 'try again later' } });
  }

  #fail(connection: Connection, request: ClientRequest, code: RequestErrorCode, message: string): void {
    this.#answer(connection, request, { status: 'error', payload: { code, message } });
    this.#countBad(connection);
  }

  #answer(connection: Connection, request: ClientRequest, outcome: Outcome): void {
    const { status, payload, payloadText } = outcome;
    const bare = request.rid === null;
    if (!bare || status !== 'ok') {
      const rid = request.rid ?? -1;
      const event = bare ? 'error' : (outcome.event ?? request.command);
      const frame =
        payloadText === undefined
          ? responseFrame(rid, event, status, payload)
          : responseTextFrame(rid, event, status, payloadText);
      this.#send(connection, frame);
    }
    outcome.after?.();
    this.#deps.sender.flush();
  }

  #send(connection: Connection, frame: string): void {
    this.#deps.sender.send(connection, frame, 'response');
  }

  #countBad(connection: Connection): void {
    connection.badRequests++;
    const { badRequests } = this.#options.limits;
    if (badRequests === 0 || connection.badRequests < badRequests) return;
    this.#deps.sender.close(connection, closeReason('too_many_errors'));
  }
}

/** Text of requests that may wait behind an `authentication`, in characters. */
const WAITING_CHARS_MAX = 256 * 1024;

/** Requests that one connection has made behind its `authentication`, in order. */
class WaitingRequests {
  readonly #requests: ClientRequest[] = [];
  #chars = 0;

  /** Adds a request; false: too much waits already. */
  add(request: ClientRequest): boolean {
    if (this.#chars + request.text.length > WAITING_CHARS_MAX) return false;
    this.#chars += request.text.length;
    this.#requests.push(request);
    return true;
  }

  shift(): ClientRequest | undefined {
    const request = this.#requests.shift();
    if (request !== undefined) this.#chars -= request.text.length;
    return request;
  }
}

/** Settles as the outcome does, and not before what it waits for. */
async function afterBoth(earlier: Promise<void>, outcome: Outcome | Promise<Outcome>): Promise<Outcome> {
  const [settled] = await Promise.all([outcome, earlier]);
  return settled;
}

import { CodedError } from '@ws-gateway/core';
import { Agent, errors, request } from 'undici';

/** Why a backend gave no answer at all. */
export type BackendCallErrorCode = 'timeout' | 'too_large' | 'unreachable';

export class BackendCallError extends CodedError<BackendCallErrorCode> {
  override readonly name = 'BackendCallError';

  constructor(code: BackendCallErrorCode, options?: { cause?: unknown }) {
    super(code, MESSAGES[code], options);
  }

  override get retryable(): boolean {
    return this.code !== 'too_large';
  }
}

/** Messages that are shown to clients, so they hold no addresses. */
const MESSAGES: Readonly<Record<BackendCallErrorCode, string>> = {
  timeout: 'the backend did not answer in time',
  too_large: "the backend's answer is too large",
  unreachable: 'the backend cannot be reached',
};

export interface BackendCall {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Time limit in ms for all of it: connecting, waiting, reading, and repeating. */
  readonly timeoutMs: number;
}

export interface BackendAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Makes HTTP calls to all backends over kept-alive connections. It does not follow redirects. A GET or PUT whose
 * connection ended before any answer is sent once more, over a connection of its own (RFC 9110, 9.2.2): a backend may
 * close a kept connection in the moment it is used, and others that are kept may be as old. No other call is ever
 * repeated.
 */
export class BackendCaller {
  readonly #kept: Agent;
  readonly #fresh: Agent;

  constructor(options: {
    readonly connectionsMax: number;
    readonly timeoutMsMax: number;
    readonly responseBytesMax: number;
  }) {
    const common = {
      connections: options.connectionsMax,
      maxResponseSize: options.responseBytesMax,
      // Each call has one deadline of its own; these would only cut a longer one short.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: options.timeoutMsMax },
    };
    this.#kept = new Agent({ ...common, pipelining: 1 });
    // This is undici's setting for keeping no connection.
    this.#fresh = new Agent({ ...common, pipelining: 0 });
  }

  /** Makes one call; any status is an answer. Rejects with BackendCallError. */
  async call(call: BackendCall): Promise<BackendAnswer> {
    const signal = AbortSignal.timeout(call.timeoutMs);
    try {
      const answer = await this.#send(call, signal);
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      throw new BackendCallError(signal.aborted ? 'timeout' : codeOf(cause), { cause });
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#kept.destroy(), this.#fresh.destroy()]);
  }

  async #send({ url, method, headers, body }: BackendCall, signal: AbortSignal): ReturnType<typeof request> {
    const options = { method, headers, body, signal };
    try {
      return await request(url, { ...options, dispatcher: this.#kept });
    } catch (error) {
      if (!REPEATABLE.has(method) || !endedUnanswered(error)) throw error;
      return request(url, { ...options, dispatcher: this.#fresh });
    }
  }
}

const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'PUT']);

function endedUnanswered(error: unknown): boolean {
  return ['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE'].includes(String((error as { readonly code?: unknown }).code));
}

function codeOf(cause: unknown): BackendCallErrorCode {
  if (cause instanceof errors.ResponseExceededMaxSizeError) return 'too_large';
  return cause instanceof errors.ConnectTimeoutError ? 'timeout' : 'unreachable';
}

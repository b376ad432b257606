import { Agent, errors, request } from 'undici';

/** Why a backend gave no answer at all. */
export type BackendCallErrorCode = 'timeout' | 'too_large' | 'unreachable';

export class BackendCallError extends Error {
  override readonly name = 'BackendCallError';
  readonly code: BackendCallErrorCode;

  constructor(code: BackendCallErrorCode, options?: { cause?: unknown }) {
    super(MESSAGES[code], options);
    this.code = code;
  }

  get retryable(): boolean {
    return this.code !== 'too_large';
  }
}

/** Shown to clients, so without addresses. */
const MESSAGES: Readonly<Record<BackendCallErrorCode, string>> = {
  timeout: 'the backend did not answer in time',
  too_large: "the backend's answer is too large",
  unreachable: 'the backend can not be reached',
};

export interface BackendCall {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** For all of it: connecting, waiting, reading. */
  readonly timeoutMs: number;
}

export interface BackendAnswer {
  readonly status: number;
  readonly text: string;
}

/** HTTP to all backends over kept-alive connections. Does not follow redirects and never repeats a call. */
export class BackendCaller {
  readonly #agent: Agent;

  constructor(options: {
    readonly connectionsMax: number;
    readonly timeoutMsMax: number;
    readonly responseBytesMax: number;
  }) {
    this.#agent = new Agent({
      connections: options.connectionsMax,
      pipelining: 1,
      maxResponseSize: options.responseBytesMax,
      // Each call has one deadline of its own; these would only cut a longer one short.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: options.timeoutMsMax },
    });
  }

  /** Any status is an answer. Rejects with BackendCallError. */
  async call(call: BackendCall): Promise<BackendAnswer> {
    const { url, method, headers, body, timeoutMs } = call;
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const answer = await request(url, { dispatcher: this.#agent, method, headers, body, signal });
      return { status: answer.statusCode, text: await answer.body.text() };
    } catch (cause) {
      throw new BackendCallError(signal.aborted ? 'timeout' : codeOf(cause), { cause });
    }
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function codeOf(cause: unknown): BackendCallErrorCode {
  if (cause instanceof errors.ResponseExceededMaxSizeError) return 'too_large';
  return cause instanceof errors.ConnectTimeoutError ? 'timeout' : 'unreachable';
}

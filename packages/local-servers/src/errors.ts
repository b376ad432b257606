/** Reasons for which a server is not there. */
export type LocalServersErrorCode =
  /** The caller named a server that does not answer, or is not what it should be. */
  | 'configured_unreachable'
  /** A program, a package or the network is missing. The message says how to get it. */
  | 'not_available'
  /** The server ended, or did not become ready in time. The message carries the end of its log. */
  | 'start_failed';

export class LocalServersError extends Error {
  override readonly name = 'LocalServersError';
  readonly code: LocalServersErrorCode;

  constructor(code: LocalServersErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** True for a server that did not come up: it may do so on another port. Everything else needs somebody's hand. */
  get retryable(): boolean {
    return this.code === 'start_failed';
  }
}

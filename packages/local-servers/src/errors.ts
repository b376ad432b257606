/** Why a server is not there. `not_available` means: something that is needed is not on this machine. */
export type LocalServersErrorCode =
  /** Named by the caller, but it does not answer or is not what it should be. */
  | 'configured_unreachable'
  /** A program, a package or the network is missing. The message says how to get it. */
  | 'not_available'
  /** It was there and ended, or did not become ready in time. The message carries the end of its log. */
  | 'start_failed';

export class LocalServersError extends Error {
  override readonly name = 'LocalServersError';
  readonly code: LocalServersErrorCode;

  constructor(code: LocalServersErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** A server that did not come up may do so on another port; the rest needs somebody's hand. */
  get retryable(): boolean {
    return this.code === 'start_failed';
  }
}

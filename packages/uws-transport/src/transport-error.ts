export type TransportErrorCode =
  /** Another program has the port. */
  | 'address_in_use'
  /** The address is not this machine's, or the port is not allowed. */
  | 'cannot_listen'
  /** Certificate or key file missing, unreadable or not matching. */
  | 'bad_certificate'
  /** uWebSockets.js refused a frame although no limit is set: a defect. */
  | 'frame_dropped'
  /** The request's body is larger than `maxBodyBytes`; it was answered 413. */
  | 'body_too_large'
  /** The client went away before its body was complete. */
  | 'request_aborted';

export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;
  /** None of these goes away by doing the same again. */
  readonly retryable = false;

  constructor(code: TransportErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

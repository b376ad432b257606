import { CodedError } from '@ws-gateway/core';

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

export class TransportError extends CodedError<TransportErrorCode> {
  override readonly name = 'TransportError';
}

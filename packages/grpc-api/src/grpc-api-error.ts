import { CodedError } from '@ws-gateway/core';

/** Reasons for which the API could not start. Trying again does not help, except that a port may become free. */
export type GrpcApiErrorCode =
  /** A descriptor file cannot be read, or its content cannot be used. */
  | 'bad_descriptor'
  /** A certificate or key cannot be read or used. */
  | 'bad_tls'
  /** A port cannot be opened. */
  | 'listen_failed';

export class GrpcApiError extends CodedError<GrpcApiErrorCode> {
  override readonly name = 'GrpcApiError';

  override get retryable(): boolean {
    return this.code === 'listen_failed';
  }
}

/** Why the API could not start. None goes away by trying again as it is, but a port may become free. */
export type GrpcApiErrorCode =
  /** A descriptor file can't be read, or what it says can't be used. */
  | 'bad_descriptor'
  /** A certificate or key can't be read or used. */
  | 'bad_tls'
  /** A port can't be opened. */
  | 'listen_failed';

export class GrpcApiError extends Error {
  override readonly name = 'GrpcApiError';
  readonly code: GrpcApiErrorCode;

  constructor(code: GrpcApiErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  get retryable(): boolean {
    return this.code === 'listen_failed';
  }
}

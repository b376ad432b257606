/** Mistakes in an entry of `backends.ws`; none of them can be repaired while the program runs. */
export type BackendLinksErrorCode = 'bad_url';

export class BackendLinksError extends Error {
  override readonly name = 'BackendLinksError';
  readonly code: BackendLinksErrorCode;
  readonly retryable = false;

  constructor(code: BackendLinksErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

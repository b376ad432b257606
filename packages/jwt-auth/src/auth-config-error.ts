/** Faults of the `auth` section; nothing of it can be repaired while the program runs. */
export type AuthConfigErrorCode =
  'no_algorithm' | 'unknown_algorithm' | 'missing_key' | 'key_conflict' | 'bad_key' | 'bad_issuer' | 'bad_url';

/** The message starts with the key path and never holds key material. */
export class AuthConfigError extends Error {
  override readonly name = 'AuthConfigError';
  readonly code: AuthConfigErrorCode;
  readonly retryable = false;

  constructor(code: AuthConfigErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

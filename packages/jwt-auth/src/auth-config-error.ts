import { CodedError } from '@ws-gateway/core';

/** Faults of the `auth` section; nothing of it can be repaired while the program runs. */
export type AuthConfigErrorCode =
  'no_algorithm' | 'unknown_algorithm' | 'missing_key' | 'key_conflict' | 'bad_key' | 'bad_issuer' | 'bad_url';

/** The message starts with the key path and never holds key material. */
export class AuthConfigError extends CodedError<AuthConfigErrorCode> {
  override readonly name = 'AuthConfigError';
}

import { CodedError } from '@ws-gateway/core';

/** Mistakes in an entry of `backends.ws`; none of them can be repaired while the program runs. */
export type BackendLinksErrorCode = 'bad_url';

export class BackendLinksError extends CodedError<BackendLinksErrorCode> {
  override readonly name = 'BackendLinksError';
}

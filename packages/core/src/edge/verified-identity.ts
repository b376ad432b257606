import { TokenError, VerifierUnavailableError } from '../errors.js';
import type { Identity, TokenVerifier } from '../token-verifier.js';
import { RefusalError } from './refusals.js';

/** Who the token is of; throws RefusalError by the token's own fault, or `unavailable` when the verifier can't work. */
export async function verifiedIdentity(verifier: TokenVerifier, token: string): Promise<Identity> {
  try {
    return await verifier.verify(token);
  } catch (error) {
    if (error instanceof TokenError) throw new RefusalError(error.code, error.message);
    if (error instanceof VerifierUnavailableError) throw new RefusalError('unavailable', error.message);
    throw error;
  }
}

import type { CryptoKey, FlattenedJWSInput, JWTHeaderParameters } from 'jose';
import type { KeyObject } from 'node:crypto';

export type VerificationKey = CryptoKey | KeyObject;

/** The keys of one kind (see KeyKind) that an issuer has. */
export interface KeySource {
  /**
   * Finds the keys that may have signed a token with this header, at least one. Rejects with an error of jose when
   * there is none, and with VerifierUnavailableError when nobody can say.
   */
  keysFor(
    header: JWTHeaderParameters,
    token: FlattenedJWSInput,
  ): readonly VerificationKey[] | Promise<readonly VerificationKey[]>;
}

import type { Identity } from './token-verifier.js';

/** Tokens that are no longer to be trusted though they have not expired: one by its `jti`, or all of a user up to a time. */
export type Revocation =
  | { readonly tokenId: string }
  /** All tokens of the user that were issued before, and those that do not say when they were issued. */
  | { readonly user: string; readonly issuedBeforeMs: number };

/** Claims of a token that the engine compares. */
export type TokenTraits = Pick<Identity, 'tokenId' | 'issuedAtMs'>;

/** Tells whether the revocation concerns this user's token. */
export function isRevokedBy(revocation: Revocation, user: string, { tokenId, issuedAtMs }: TokenTraits): boolean {
  if ('tokenId' in revocation) return tokenId === revocation.tokenId;
  return user === revocation.user && (issuedAtMs ?? 0) < revocation.issuedBeforeMs;
}

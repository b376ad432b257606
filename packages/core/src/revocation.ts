import type { Identity } from './token-verifier.js';

/** Tokens that are no longer to be trusted though they have not expired: one by its `jti`, or all of a user up to a time. */
export type Revocation =
  | { readonly tokenId: string }
  /** Of the user's tokens those issued before; one that does not say when it was issued, too. */
  | { readonly user: string; readonly issuedBeforeMs: number };

/** What the engine compares of a token. */
export type TokenTraits = Pick<Identity, 'tokenId' | 'issuedAtMs'>;

/** Whether the revocation is of this user's token. */
export function isRevokedBy(revocation: Revocation, user: string, { tokenId, issuedAtMs }: TokenTraits): boolean {
  if ('tokenId' in revocation) return tokenId === revocation.tokenId;
  return user === revocation.user && (issuedAtMs ?? 0) < revocation.issuedBeforeMs;
}

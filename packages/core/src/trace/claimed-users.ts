import { isObject } from '../json.js';

/** Texts in the claims of a token that nobody has verified: who its bearer says to be is among them. */
export function claimedUsers(token: string): string[] {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    return isObject(claims) ? Object.values(claims).filter((claim) => typeof claim === 'string') : [];
  } catch {
    // It is no token at all.
    return [];
  }
}

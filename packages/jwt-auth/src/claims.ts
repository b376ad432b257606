import { isName, isUserId, own, TokenError, type Identity } from '@ws-gateway/core';
import type { JWTPayload } from 'jose';

/** The last instant a Date can hold; an `exp` beyond it means the same. */
const TIME_MAX_MS = 8.64e15;

/** Reads what a verified token says about its bearer; throws TokenError when a claim is not of its type or shape. */
export function identityOf(claims: JWTPayload, { userClaim, listClaims }: ReadClaims): Identity {
  return {
    user: userOf(claims, userClaim),
    expiresAtMs: millisecondsOf(claims.exp),
    issuedAtMs: millisecondsOf(claims.iat),
    // RFC 7519 wants a text. Issuers that count their tokens write a number, and must be able to take one back.
    tokenId: textOf(claims.jti),
    topics: namesOf(claims, 'topics'),
    rooms: namesOf(claims, 'rooms'),
    // A claim of this name and another type may well be somebody else's: it grants nothing and refuses nobody.
    presence: own(claims, 'presence') === true,
    ...listsOf(claims, listClaims),
  };
}

interface ReadClaims {
  /** Claim that names the user. */
  readonly userClaim: string;
  /** Claims that list what their bearer may have. */
  readonly listClaims: readonly string[];
}

/** Reads claims that list texts; a number is the text it is written as. What is no list lists nothing. */
export function listsOf(claims: Readonly<Record<string, unknown>>, names: readonly string[]): Pick<Identity, 'lists'> {
  if (names.length === 0) return {};
  const lists = names.map((name) => {
    const value = own(claims, name);
    const texts = (Array.isArray(value) ? (value as unknown[]) : []).map(textOf).filter((text) => text !== null);
    return [name, new Set(texts)] as const;
  });
  return { lists: new Map(lists) };
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return Number.isSafeInteger(value) ? String(value) : null;
}

function userOf(claims: JWTPayload, userClaim: string): string {
  const user = own(claims, userClaim);
  if (typeof user === 'string' && isUserId(user)) return user;
  throw new TokenError('token_invalid', `claim "${userClaim}" must be a user id: 1 to 128 characters of text`);
}

/**
 * Reads a claim of names. `topics` and `rooms` take rights away, so one that cannot be read refuses the token instead
 * of being ignored.
 */
function namesOf(claims: JWTPayload, claim: string): ReadonlySet<string> | null {
  const value = own(claims, claim);
  if (value === undefined) return null;
  if (Array.isArray(value) && value.every(isNameText)) return new Set(value);
  throw new TokenError('token_invalid', `claim "${claim}" must be a list of names`);
}

function isNameText(value: unknown): value is string {
  return typeof value === 'string' && isName(value);
}

function millisecondsOf(seconds: number | undefined): number | null {
  return seconds === undefined ? null : Math.max(-TIME_MAX_MS, Math.min(TIME_MAX_MS, seconds * 1000));
}

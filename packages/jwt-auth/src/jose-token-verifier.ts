import { hash } from 'node:crypto';
import { TokenError, VerifierUnavailableError, type Identity, type TokenVerifier } from '@ws-gateway/core';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import { allowedAlgorithms } from './algorithms.js';
import { identityOf } from './claims.js';
import { IdentityCache } from './identity-cache.js';
import { keyResolver } from './keys.js';
import type { TokenVerifierOptions } from './options.js';

/** Contract 2 lets request line and headers be 16 kB; a longer token can only come in a frame, and is nobody's. */
const TOKEN_LENGTH_MAX = 16 * 1024;
const CACHE_ENTRIES_MAX = 10_000;
/** Strict where jose is lenient: no white space, no padding, no empty part. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** Throws AuthConfigError when the options can't work; a key set is first fetched for the first token. */
export function createTokenVerifier(options: TokenVerifierOptions, clock: () => number = Date.now): JoseTokenVerifier {
  return new JoseTokenVerifier(options, clock);
}

/**
 * TokenVerifier over jose. Signatures are verified off the main thread; what is in flight is shared among identical
 * tokens, what succeeded is remembered by the SHA-256 of the whole token (see IdentityCache), a failure never is.
 */
export class JoseTokenVerifier implements TokenVerifier {
  readonly #clock: () => number;
  readonly #userClaim: string;
  readonly #verifyOptions: JWTVerifyOptions;
  readonly #keyOf: JWTVerifyGetKey;
  readonly #cache: IdentityCache;
  /** Not bounded here: each entry is a handshake or request that waits, and those are bounded where they enter. */
  readonly #inFlight = new Map<string, Promise<Identity>>();

  constructor(options: TokenVerifierOptions, clock: () => number) {
    const algorithms = allowedAlgorithms(options.algorithms);
    this.#clock = clock;
    this.#userClaim = options.userClaim || 'sub';
    this.#keyOf = keyResolver(options, algorithms);
    this.#cache = new IdentityCache(options.cacheEntriesMax ?? CACHE_ENTRIES_MAX);
    this.#verifyOptions = {
      algorithms: [...algorithms],
      ...(options.issuer ? { issuer: options.issuer } : {}),
      ...(options.audience?.length ? { audience: audienceOf(options.audience) } : {}),
      requiredClaims: options.requireExp ? ['exp'] : [],
    };
  }

  /** Tokens remembered now, and how many had to make room so far. */
  get cacheStatus(): { readonly entries: number; readonly evictions: number } {
    return { entries: this.#cache.size, evictions: this.#cache.evictions };
  }

  async verify(token: string): Promise<Identity> {
    // Also from untyped callers: the length and shape are looked at before anything is spent on the token.
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_MAX || !COMPACT_JWS.test(token))
      throw new TokenError('token_invalid', 'not a signed JSON web token');
    const digest = hash('sha256', token, 'base64');
    const known = this.#cache.get(digest, this.#clock());
    if (known !== undefined) return known;
    return this.#inFlight.get(digest) ?? this.#start(digest, token);
  }

  #start(digest: string, token: string): Promise<Identity> {
    const work = this.#verifyNow(digest, token).finally(() => this.#inFlight.delete(digest));
    this.#inFlight.set(digest, work);
    return work;
  }

  async #verifyNow(digest: string, token: string): Promise<Identity> {
    const identity = identityOf(await this.#claimsOf(token), this.#userClaim);
    this.#cache.put(digest, identity, this.#clock());
    return identity;
  }

  async #claimsOf(token: string): Promise<JWTPayload> {
    const options = { ...this.#verifyOptions, currentDate: new Date(this.#clock()) };
    try {
      return (await jwtVerify(token, this.#keyOf, options)).payload;
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return tryEach(error, token, options);
      throw refusalOf(error);
    }
  }
}

/** A token without `kid` while several keys of its type are published, as during a rotation: any of them may fit. */
async function tryEach(
  keys: errors.JWKSMultipleMatchingKeys,
  token: string,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  for await (const key of keys) {
    try {
      return (await jwtVerify(token, key, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
    }
  }
  throw new TokenError('token_invalid', 'the signature does not verify');
}

/** Messages reach the client: they name the check that failed, never a value of the token or of the configuration. */
function refusalOf(cause: unknown): Error {
  if (cause instanceof VerifierUnavailableError) return cause;
  if (cause instanceof errors.JWTExpired) return new TokenError('token_expired', 'the token has expired', { cause });
  return new TokenError('token_invalid', invalidReason(cause), { cause });
}

function invalidReason(cause: unknown): string {
  if (cause instanceof errors.JOSEAlgNotAllowed) return 'the algorithm is not allowed';
  if (cause instanceof errors.JWSSignatureVerificationFailed) return 'the signature does not verify';
  if (cause instanceof errors.JWKSNoMatchingKey) return 'the key is not known';
  if (cause instanceof errors.JWTClaimValidationFailed) return `claim "${cause.claim}" is missing or not accepted`;
  return 'not a signed JSON web token';
}

function audienceOf(audience: string | readonly string[]): string | string[] {
  return typeof audience === 'string' ? audience : [...audience];
}

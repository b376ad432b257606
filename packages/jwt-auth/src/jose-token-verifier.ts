import { hash } from 'node:crypto';
import { TokenError, type Identity, type TokenVerifier } from '@ws-gateway/core';
import { decodeJwt } from 'jose';
import { AuthConfigError } from './auth-config-error.js';
import { identityOf } from './claims.js';
import { IdentityCache } from './identity-cache.js';
import { KEY_SET_TIMEOUT_MS } from './key-set.js';
import type { TokenVerifierDeps, TokenVerifierOptions } from './options.js';
import { TrustedIssuer, type IssuerEntry, type IssuerRules } from './trusted-issuer.js';

/** Request line and headers may be 16 kB together; a longer token can only come in a frame, and is nobody's. */
const TOKEN_LENGTH_MAX = 16 * 1024;
const CACHE_ENTRIES_MAX = 10_000;
const REMEMBERED_MS = 60_000;
/** Matches what jose is too lenient about: no white space, no padding, no empty part. */
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

const DAY_MS = 86_400_000;

/**
 * Makes the verifier. Throws AuthConfigError when the options cannot work. Nothing is fetched before `start` or the
 * first token.
 */
export function createTokenVerifier(options: TokenVerifierOptions, deps: TokenVerifierDeps = {}): JoseTokenVerifier {
  return new JoseTokenVerifier(options, deps);
}

/**
 * TokenVerifier over jose. Signatures are verified off the main thread; what is in flight is shared among identical
 * tokens, what succeeded is remembered by the SHA-256 of the whole token (see IdentityCache), a failure never is.
 */
export class JoseTokenVerifier implements TokenVerifier {
  readonly #clock: () => number;
  readonly #claims: { readonly userClaim: string; readonly listClaims: readonly string[] };
  readonly #clockToleranceMs: number;
  /** The `auth` section itself; null when it has no key. */
  readonly #own: TrustedIssuer | null;
  /**
   * Value of `iss` that makes a token one of the section itself; null: every one but those of `issuers`, if there are
   * any.
   */
  readonly #ownName: string | null;
  readonly #issuers: ReadonlyMap<string, TrustedIssuer>;
  readonly #cache: IdentityCache;
  /**
   * Verifications under way. The map is not bounded here: each entry is a handshake or request that waits, and those
   * are bounded where they enter.
   */
  readonly #inFlight = new Map<string, Promise<Identity>>();

  constructor(options: TokenVerifierOptions, deps: TokenVerifierDeps) {
    const { clock = Date.now, monotonicClock = () => performance.now(), logger, keySetReadMs: readMs } = deps;
    this.#clock = clock;
    this.#claims = { userClaim: options.userClaim || 'sub', listClaims: options.listClaims ?? [] };
    this.#clockToleranceMs = options.clockToleranceMs ?? 0;
    this.#cache = new IdentityCache(options.cacheEntriesMax ?? CACHE_ENTRIES_MAX, REMEMBERED_MS);
    const make = (entry: IssuerEntry): TrustedIssuer =>
      new TrustedIssuer(entry, rulesOf(options), { clock, monotonicClock, logger, readMs });
    const issuers = issuerEntries(options);
    this.#issuers = new Map(issuers.map((entry) => [entry.issuer ?? '', make(entry)]));
    const own = ownEntry(options);
    this.#ownName = own?.issuer || null;
    // Where issuers are listed and the section has no key of its own, its algorithms are nobody's.
    const mayLackKeys = issuers.length > 0 || options.keysOptional === true;
    this.#own = mayLackKeys && !hasKey(own) ? null : make(own);
    if (this.#ownName !== null && this.#issuers.has(this.#ownName))
      throw new AuthConfigError('bad_issuer', 'auth.issuers: must not list auth.issuer again');
  }

  /** Begins to read the key sets, and goes on until `stop`: the first token needs not wait for them then. */
  start(): void {
    for (const { keySet } of this.#all()) keySet?.start();
  }

  stop(): void {
    for (const { keySet } of this.#all()) keySet?.stop();
  }

  /** The key sets that another verifier has read are not read again before they are used. Call before `start`. */
  takeOver(before: JoseTokenVerifier): void {
    for (const { keySet } of this.#all())
      for (const { keySet: known } of before.#all()) if (known !== null) keySet?.takeOver(known);
  }

  /** Number of tokens that are remembered now, and of those that had to make room so far. */
  get cacheStatus(): { readonly entries: number; readonly evictions: number } {
    return { entries: this.#cache.size, evictions: this.#cache.evictions };
  }

  async verify(token: string): Promise<Identity> {
    // This holds for untyped callers, too: length and shape are looked at before anything is spent on the token.
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_MAX || !COMPACT_JWS.test(token)) throw notAToken();
    const digest = hash('sha256', token, 'base64');
    const known = this.#cache.get(digest, this.#clock());
    if (known !== undefined) return known;
    return this.#inFlight.get(digest) ?? this.#start(digest, token);
  }

  recall(token: string): Identity | null {
    if (typeof token !== 'string' || token.length > TOKEN_LENGTH_MAX) return null;
    return this.#cache.get(hash('sha256', token, 'base64'), this.#clock()) ?? null;
  }

  #start(digest: string, token: string): Promise<Identity> {
    const work = this.#verifyNow(digest, token).finally(() => this.#inFlight.delete(digest));
    this.#inFlight.set(digest, work);
    return work;
  }

  async #verifyNow(digest: string, token: string): Promise<Identity> {
    const claims = await this.#issuerOf(token).claimsOf(token);
    const identity = this.#inTolerance(identityOf(claims, this.#claims));
    this.#cache.put(digest, identity, this.#clock());
    return identity;
  }

  /**
   * Moves the end. A client that comes after `exp`, within the tolerance, may stay until the tolerance ends; all others
   * go at `exp` itself.
   */
  #inTolerance(identity: Identity): Identity {
    const { expiresAtMs } = identity;
    if (expiresAtMs === null || expiresAtMs > this.#clock()) return identity;
    return { ...identity, expiresAtMs: expiresAtMs + this.#clockToleranceMs };
  }

  /** Finds the issuer; throws TokenError. The claim that chooses the key is verified with it afterwards. */
  #issuerOf(token: string): TrustedIssuer {
    if (this.#issuers.size === 0 && this.#own !== null) return this.#own;
    const name = issuerNameIn(token);
    const listed = typeof name === 'string' ? this.#issuers.get(name) : undefined;
    if (listed !== undefined) return listed;
    const isOwn = this.#ownName === null ? name === undefined : name === this.#ownName;
    if (isOwn && this.#own !== null) return this.#own;
    throw new TokenError('token_invalid', 'claim "iss" is missing or not accepted');
  }

  #all(): readonly TrustedIssuer[] {
    return [...(this.#own === null ? [] : [this.#own]), ...this.#issuers.values()];
  }
}

function rulesOf(options: TokenVerifierOptions): IssuerRules {
  return {
    requireExp: options.requireExp ?? false,
    clockToleranceMs: options.clockToleranceMs ?? 0,
    keySet: {
      timeoutMs: options.jwksTimeoutMs ?? KEY_SET_TIMEOUT_MS,
      maxStaleMs: options.jwksMaxStaleMs ?? DAY_MS,
      refreshMs: options.jwksRefreshMs ?? 600_000,
      cooldownMs: options.jwksCooldownMs ?? 30_000,
    },
  };
}

function ownEntry(options: TokenVerifierOptions): IssuerEntry {
  const { algorithms = ['HS256'], secret = '', secrets = [], ...rest } = options;
  const more = secrets.map((text, index) => ({ path: `auth.secrets[${index}]`, secret: text }));
  const all = [{ path: 'auth.secret', secret }, ...more].filter((entry) => entry.secret !== '');
  return { ...rest, path: 'auth', algorithms, secrets: all };
}

function issuerEntries({ issuers = [] }: TokenVerifierOptions): IssuerEntry[] {
  const names = new Set<string>();
  return issuers.map((entry, index) => {
    const path = `auth.issuers[${index}]`;
    const { issuer = '', secret = '', algorithms = [], ...keys } = entry;
    if (issuer === '') throw new AuthConfigError('bad_issuer', `${path}.issuer: must not be empty`);
    if (names.has(issuer)) throw new AuthConfigError('bad_issuer', `${path}.issuer: must differ from all before it`);
    names.add(issuer);
    const secrets = secret === '' ? [] : [{ path: `${path}.secret`, secret }];
    return { ...keys, path, issuer, secrets, ...(algorithms.length > 0 ? { algorithms } : {}) };
  });
}

function hasKey({ secrets, publicKeyFile = '', jwksUrl = '' }: IssuerEntry): boolean {
  return secrets.length > 0 || publicKeyFile !== '' || jwksUrl !== '';
}

/** Reads what the token says without proof. */
function issuerNameIn(token: string): unknown {
  try {
    return decodeJwt(token).iss;
  } catch {
    // It is not a token at all, whoever is asked.
    throw notAToken();
  }
}

function notAToken(): TokenError {
  return new TokenError('token_invalid', 'not a signed JSON web token');
}

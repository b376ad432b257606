import { TokenError, VerifierUnavailableError } from '@ws-gateway/core';
import { errors, jwtVerify, type FlattenedJWSInput, type JWTHeaderParameters, type JWTPayload } from 'jose';
import { asymmetricAlgorithms, checkedAlgorithms, keyKindOf, misfitOf, type KeyKind } from './algorithms.js';
import { AuthConfigError } from './auth-config-error.js';
import { serviceUrl } from './http-json.js';
import type { KeySource, VerificationKey } from './key-source.js';
import { KeySet, type KeySetDeps, type KeySetOptions } from './key-set.js';
import type { IssuerOptions } from './options.js';
import { PublicKeyFile } from './public-key-file.js';
import { SecretKeys, type NamedSecret } from './secret-keys.js';

/** Rules that all issuers have in common. */
export interface IssuerRules {
  readonly requireExp: boolean;
  readonly clockToleranceMs: number;
  readonly keySet: Omit<KeySetOptions, 'url' | 'issuer'>;
}

interface IssuerDeps extends KeySetDeps {
  readonly clock: () => number;
}

/** The entry of the configuration that names an issuer, and all secrets that verify its tokens. */
export interface IssuerEntry extends IssuerOptions {
  /** Path of the entry, such as `auth` or `auth.issuers[0]`. */
  readonly path: string;
  readonly secrets: readonly NamedSecret[];
}

/**
 * One issuer whose tokens are accepted. The kind of key follows from the algorithm alone: an HS token meets only the
 * secrets, any other only the public key or key set, so a public key can never be used as an HMAC secret.
 */
export class TrustedIssuer {
  readonly keySet: KeySet | null = null;
  readonly #clock: () => number;
  readonly #rules: IssuerRules;
  readonly #sources = new Map<KeyKind, KeySource>();
  readonly #checks: { algorithms: string[]; issuer?: string; audience?: string[]; requiredClaims: string[] };

  /** Throws AuthConfigError. */
  constructor(entry: IssuerEntry, rules: IssuerRules, deps: IssuerDeps) {
    const { path, secrets, issuer = '' } = entry;
    this.#clock = deps.clock;
    this.#rules = rules;
    const publicKeys = publicKeySource(entry, rules, deps);
    if (publicKeys instanceof KeySet) this.keySet = publicKeys;
    const algorithms = algorithmsOf(entry, publicKeys);
    this.#checks = {
      algorithms: [...algorithms],
      requiredClaims: rules.requireExp ? ['exp'] : [],
      ...(issuer === '' ? {} : { issuer }),
      ...(entry.audience?.length ? { audience: [entry.audience].flat() } : {}),
    };
    const symmetric = algorithms.filter((name) => keyKindOf(name) === 'secret');
    if (symmetric.length > 0) {
      if (secrets.length === 0)
        throw new AuthConfigError('missing_key', `${path}.secret: missing, ${symmetric.join(', ')} cannot do without`);
      this.#sources.set('secret', new SecretKeys(secrets, symmetric));
    }
    const asymmetric = algorithms.filter((name) => keyKindOf(name) === 'public');
    if (asymmetric.length === 0) return;
    if (publicKeys === null) {
      const message = `${path}.publicKeyFile or ${path}.jwksUrl: missing, ${asymmetric.join(', ')} cannot do without`;
      throw new AuthConfigError('missing_key', message);
    }
    if (publicKeys instanceof PublicKeyFile) requireFit(publicKeys, asymmetric, `${path}.publicKeyFile`);
    this.#sources.set('public', publicKeys);
  }

  /** Rejects with TokenError or VerifierUnavailableError. */
  async claimsOf(token: string): Promise<JWTPayload> {
    const claims = await this.#verified(token);
    // jose looks at `iat` only to find out a token's age. One from the future would outlive a revocation by time.
    if (claims.iat !== undefined && claims.iat * 1000 > this.#clock() + this.#rules.clockToleranceMs)
      throw new TokenError('token_invalid', 'claim "iat" lies in the future');
    return claims;
  }

  async #verified(token: string): Promise<JWTPayload> {
    const options = {
      ...this.#checks,
      clockTolerance: this.#rules.clockToleranceMs / 1000,
      currentDate: new Date(this.#clock()),
    };
    let candidates: readonly VerificationKey[] = [];
    const firstKey = async (header: JWTHeaderParameters, jws: FlattenedJWSInput): Promise<VerificationKey> => {
      candidates = await this.#keysFor(header, jws);
      return candidates[0]!;
    };
    try {
      return (await jwtVerify(token, firstKey, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
    }
    for (const key of candidates.slice(1)) {
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (error) {
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw refusalOf(error);
      }
    }
    throw new TokenError('token_invalid', 'the signature does not verify');
  }

  #keysFor(header: JWTHeaderParameters, jws: FlattenedJWSInput): ReturnType<KeySource['keysFor']> {
    const kind = keyKindOf(header.alg ?? '');
    const source = kind === undefined ? undefined : this.#sources.get(kind);
    // jose checks the allow-list first, so this is a broken invariant and not a client's mistake.
    if (source === undefined) throw new Error('no key for an allowed algorithm');
    return source.keysFor(header, jws);
  }
}

function publicKeySource(entry: IssuerEntry, rules: IssuerRules, deps: IssuerDeps): KeySet | PublicKeyFile | null {
  const { path, publicKeyFile = '', jwksUrl = '', issuer = '' } = entry;
  if (publicKeyFile !== '' && jwksUrl !== '')
    throw new AuthConfigError('key_conflict', `${path}.jwksUrl: must not be set together with ${path}.publicKeyFile`);
  if (publicKeyFile !== '') return new PublicKeyFile(publicKeyFile, `${path}.publicKeyFile`);
  if (jwksUrl === '') return null;
  const url = serviceUrl(jwksUrl, `${path}.jwksUrl`);
  const name = issuer === '' ? `${url.origin}${url.pathname}` : issuer;
  const { logger, readMs, monotonicClock } = deps;
  return new KeySet({ ...rules.keySet, url, issuer: name }, { logger, readMs, monotonicClock });
}

function algorithmsOf(
  { path, algorithms, secrets }: IssuerEntry,
  publicKeys: KeySet | PublicKeyFile | null,
): readonly string[] {
  if (algorithms !== undefined) return checkedAlgorithms(algorithms, `${path}.algorithms`);
  if (secrets.length === 0 && publicKeys === null)
    throw new AuthConfigError('missing_key', `${path}: must have one of secret, publicKeyFile and jwksUrl`);
  const fits = (name: string): boolean =>
    !(publicKeys instanceof PublicKeyFile) || misfitOf(name, publicKeys.key) === null;
  return [...(secrets.length > 0 ? ['HS256'] : []), ...(publicKeys === null ? [] : asymmetricAlgorithms.filter(fits))];
}

/** Refuses at start what would make every token of the algorithm fail later. */
function requireFit({ key }: PublicKeyFile, algorithms: readonly string[], path: string): void {
  for (const algorithm of algorithms) {
    const misfit = misfitOf(algorithm, key);
    if (misfit !== null) throw new AuthConfigError('bad_key', `${path}: ${misfit}`);
  }
}

/** Messages reach the client: they name the check that failed, never a value of the token or of the configuration. */
function refusalOf(cause: unknown): Error {
  if (cause instanceof VerifierUnavailableError) return cause;
  if (cause instanceof errors.JWTExpired) return new TokenError('token_expired', 'the token has expired', { cause });
  return new TokenError('token_invalid', invalidReason(cause), { cause });
}

function invalidReason(cause: unknown): string {
  if (cause instanceof errors.JOSEAlgNotAllowed) return 'the algorithm is not allowed';
  if (cause instanceof errors.JWKSNoMatchingKey) return 'the key is not known';
  if (cause instanceof errors.JWTClaimValidationFailed) return `claim "${cause.claim}" is missing or not accepted`;
  return 'not a signed JSON web token';
}

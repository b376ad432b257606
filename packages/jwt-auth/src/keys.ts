import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { VerifierUnavailableError } from '@ws-gateway/core';
import { createRemoteJWKSet, errors, type CryptoKey, type JWTHeaderParameters, type JWTVerifyGetKey } from 'jose';
import { keyKindOf, requireFittingKey } from './algorithms.js';
import { AuthConfigError } from './auth-config-error.js';
import type { TokenVerifierOptions } from './options.js';

const JWKS_TIMEOUT_MS = 5_000;
const JWKS_COOLDOWN_MS = 30_000;

/**
 * Finds the key for a token. The kind of key follows from the algorithm alone: an HS token meets only the secret, any
 * other only the public key or key set, so a public key can never be used as an HMAC secret.
 */
export function keyResolver(options: TokenVerifierOptions, algorithms: readonly string[]): JWTVerifyGetKey {
  const kinds = new Set(algorithms.map(keyKindOf));
  const secrets = kinds.has('secret') ? secretKeys(options.secret, algorithms) : null;
  const publicKey = kinds.has('public') ? publicKeySource(options, algorithms) : null;
  return (header, token) => {
    const secret = secrets?.get(header.alg ?? '');
    if (secret !== undefined) return secret;
    if (keyKindOf(header.alg ?? '') === 'public' && publicKey !== null) return publicKey(header, token);
    // jose checks the allow-list first, so this is a broken invariant and not a client's mistake.
    throw new Error('no key for an allowed algorithm');
  };
}

/** By algorithm. Given the bytes, jose imports them anew for each token, which is a third of what verifying it costs. */
function secretKeys(secret: string | undefined, algorithms: readonly string[]): ReadonlyMap<string, CryptoKey> {
  if (!secret) throw new AuthConfigError('missing_key', 'auth.secret: needed by the HS algorithms of auth.algorithms');
  // The classic way into key confusion: whoever has the public key could sign with it.
  if (secret.includes('-----BEGIN'))
    throw new AuthConfigError('bad_key', 'auth.secret: a PEM key is no secret; use auth.publicKeyFile');
  const key = createSecretKey(secret, 'utf8');
  const imported = (algorithm: string): CryptoKey =>
    key.toCryptoKey({ name: 'HMAC', hash: algorithm.replace('HS', 'SHA-') }, false, ['verify']);
  const secrets = algorithms.filter((algorithm) => keyKindOf(algorithm) === 'secret');
  return new Map(secrets.map((algorithm) => [algorithm, imported(algorithm)]));
}

function publicKeySource(options: TokenVerifierOptions, algorithms: readonly string[]): JWTVerifyGetKey {
  const { publicKeyFile, jwksUrl } = options;
  if (publicKeyFile && jwksUrl)
    throw new AuthConfigError('key_conflict', 'auth.publicKeyFile: set either this or auth.jwksUrl, not both');
  if (jwksUrl) return remoteKeySet(jwksUrl, options);
  if (!publicKeyFile)
    throw new AuthConfigError('missing_key', 'auth.publicKeyFile or auth.jwksUrl: needed by auth.algorithms');
  const key = readPublicKey(publicKeyFile);
  for (const algorithm of algorithms) if (keyKindOf(algorithm) === 'public') requireFittingKey(algorithm, key);
  return () => key;
}

function readPublicKey(path: string): KeyObject {
  const pem = readFile(path);
  if (pem.includes('PRIVATE KEY-----'))
    throw new AuthConfigError('bad_key', 'auth.publicKeyFile: holds a private key; a verifier must not have one');
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw new AuthConfigError('bad_key', 'auth.publicKeyFile: no PEM public key or certificate', { cause });
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AuthConfigError('missing_key', `auth.publicKeyFile: ${path} can't be read`, { cause });
  }
}

/**
 * Keys from a URL. jose shares one fetch among all that wait, keeps the set for ten minutes and fetches again for an
 * unknown key id, at most once per cooldown: tokens with invented ids can't be used to flood the issuer.
 */
function remoteKeySet(jwksUrl: string, options: TokenVerifierOptions): JWTVerifyGetKey {
  const keySet = createRemoteJWKSet(keySetUrl(jwksUrl), {
    timeoutDuration: options.jwksTimeoutMs ?? JWKS_TIMEOUT_MS,
    cooldownDuration: options.jwksCooldownMs ?? JWKS_COOLDOWN_MS,
  });
  return async (header: JWTHeaderParameters, token) => {
    try {
      return await keySet(header, token);
    } catch (error) {
      if (isTokensFault(error)) throw error;
      throw new VerifierUnavailableError('the key set can not be read', { cause: error });
    }
  };
}

/** The set was there, but has no key (or several) for what the token's header says. */
function isTokensFault(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
}

function keySetUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new AuthConfigError('bad_key', 'auth.jwksUrl: not an http or https URL');
  return url;
}

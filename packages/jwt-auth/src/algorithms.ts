import type { KeyObject } from 'node:crypto';
import { AuthConfigError } from './auth-config-error.js';

/** Kind of key of an algorithm. One kind never serves the other, which is what makes key confusion impossible. */
export type KeyKind = 'secret' | 'public';

interface Algorithm {
  readonly kind: KeyKind;
  /** `asymmetricKeyType` and, for ES, `namedCurve` of the key in Node's words. */
  readonly keyTypes: readonly string[];
  readonly curve?: string;
}

const RSA: Algorithm = { kind: 'public', keyTypes: ['rsa'] };
const RSA_PSS: Algorithm = { kind: 'public', keyTypes: ['rsa', 'rsa-pss'] };
const SECRET: Algorithm = { kind: 'secret', keyTypes: [] };

/** Algorithms that may be configured; `none` is deliberately absent. */
const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map<string, Algorithm>([
  ['HS256', SECRET],
  ['HS384', SECRET],
  ['HS512', SECRET],
  ['RS256', RSA],
  ['RS384', RSA],
  ['RS512', RSA],
  ['PS256', RSA_PSS],
  ['PS384', RSA_PSS],
  ['PS512', RSA_PSS],
  ['ES256', { kind: 'public', keyTypes: ['ec'], curve: 'prime256v1' }],
  ['ES384', { kind: 'public', keyTypes: ['ec'], curve: 'secp384r1' }],
  ['ES512', { kind: 'public', keyTypes: ['ec'], curve: 'secp521r1' }],
  ['EdDSA', { kind: 'public', keyTypes: ['ed25519'] }],
]);

const RSA_BITS_MIN = 2048;

export const asymmetricAlgorithms: readonly string[] = [...ALGORITHMS.keys()].filter(
  (name) => keyKindOf(name) === 'public',
);

/** Returns the allow-list without repetitions; throws AuthConfigError, whose message starts with `path`. */
export function checkedAlgorithms(names: readonly string[], path: string): readonly string[] {
  if (names.length === 0) throw new AuthConfigError('no_algorithm', `${path}: must name at least one algorithm`);
  for (const name of names) {
    if (ALGORITHMS.has(name)) continue;
    const known = [...ALGORITHMS.keys()].join(', ');
    throw new AuthConfigError('unknown_algorithm', `${path}: must be one of ${known}, not ${name}`);
  }
  return [...new Set(names)];
}

export function keyKindOf(algorithm: string): KeyKind | undefined {
  return ALGORITHMS.get(algorithm)?.kind;
}

/** Says why no token of the algorithm could ever be verified by the key; null: the key fits. */
export function misfitOf(algorithm: string, key: KeyObject): string | null {
  const { keyTypes, curve } = ALGORITHMS.get(algorithm) ?? SECRET;
  const { asymmetricKeyType = '', asymmetricKeyDetails: details } = key;
  const fits = keyTypes.includes(asymmetricKeyType) && (curve ?? details?.namedCurve) === details?.namedCurve;
  if (fits) return null;
  const kind = [asymmetricKeyType, details?.namedCurve].filter(Boolean).join(' ');
  return `must fit ${algorithm}, not be a key of type ${kind}`;
}

/** Throws AuthConfigError for a key that is too short to be trusted. */
export function requireStrongKey(key: KeyObject, path: string): void {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits === undefined || bits >= RSA_BITS_MIN) return;
  throw new AuthConfigError('bad_key', `${path}: an RSA key must have at least ${RSA_BITS_MIN} bits, not ${bits}`);
}

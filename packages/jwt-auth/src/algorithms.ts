import type { KeyObject } from 'node:crypto';
import { AuthConfigError } from './auth-config-error.js';

/** How an algorithm gets its key. One kind never serves the other, which is what makes key confusion impossible. */
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

/** All that may be configured; `none` is deliberately absent. */
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

/** The allow-list, checked; throws AuthConfigError. */
export function allowedAlgorithms(names: readonly string[] | undefined): readonly string[] {
  const list = names ?? ['HS256'];
  if (list.length === 0) throw new AuthConfigError('no_algorithm', 'auth.algorithms: at least one is needed');
  for (const name of list) {
    if (ALGORITHMS.has(name)) continue;
    const known = [...ALGORITHMS.keys()].join(', ');
    throw new AuthConfigError('unknown_algorithm', `auth.algorithms: ${name} is not one of ${known}`);
  }
  return [...new Set(list)];
}

export function keyKindOf(algorithm: string): KeyKind | undefined {
  return ALGORITHMS.get(algorithm)?.kind;
}

/** Refuses at start what would make every token of the algorithm fail later. */
export function requireFittingKey(algorithm: string, key: KeyObject): void {
  const { keyTypes, curve } = ALGORITHMS.get(algorithm) ?? SECRET;
  const { asymmetricKeyType = '', asymmetricKeyDetails: details } = key;
  const fits = keyTypes.includes(asymmetricKeyType) && (curve ?? details?.namedCurve) === details?.namedCurve;
  if (!fits) {
    const kind = [asymmetricKeyType, details?.namedCurve].filter(Boolean).join(' ');
    throw new AuthConfigError('bad_key', `auth.publicKeyFile: a key of type ${kind} does not fit ${algorithm}`);
  }
  if (details?.modulusLength !== undefined && details.modulusLength < RSA_BITS_MIN)
    throw new AuthConfigError('bad_key', `auth.publicKeyFile: RSA keys need at least ${RSA_BITS_MIN} bits`);
}

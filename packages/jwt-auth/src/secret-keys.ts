import { createSecretKey } from 'node:crypto';
import type { CryptoKey, JWTHeaderParameters } from 'jose';
import { AuthConfigError } from './auth-config-error.js';
import type { KeySource } from './key-source.js';

/** A secret and the key of the configuration that it stands in. */
export interface NamedSecret {
  readonly path: string;
  readonly secret: string;
}

/** Shared secrets of the HS algorithms: while one is being replaced by another both of them verify. */
export class SecretKeys implements KeySource {
  readonly #byAlgorithm: ReadonlyMap<string, readonly CryptoKey[]>;

  /** Throws AuthConfigError. */
  constructor(secrets: readonly NamedSecret[], algorithms: readonly string[]) {
    this.#byAlgorithm = new Map(algorithms.map((algorithm) => [algorithm, importedKeys(secrets, algorithm)]));
  }

  keysFor(header: JWTHeaderParameters): readonly CryptoKey[] {
    const keys = this.#byAlgorithm.get(header.alg ?? '');
    // jose checks the allow-list first, so this is a broken invariant and not a client's mistake.
    if (keys === undefined) throw new Error('no key for an allowed algorithm');
    return keys;
  }
}

/**
 * Imports the keys once: given the bytes, jose would import them again for each token, which is a third of what
 * verifying it costs.
 */
function importedKeys(secrets: readonly NamedSecret[], algorithm: string): readonly CryptoKey[] {
  return secrets.map(({ path, secret }) => {
    // This is the classic way into key confusion: whoever has the public key could sign with it.
    if (secret.includes('-----BEGIN'))
      throw new AuthConfigError('bad_key', `${path}: must be a secret, not a PEM key; use publicKeyFile`);
    const hash = algorithm.replace('HS', 'SHA-');
    return createSecretKey(secret, 'utf8').toCryptoKey({ name: 'HMAC', hash }, false, ['verify']);
  });
}

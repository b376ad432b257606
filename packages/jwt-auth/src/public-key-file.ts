import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { requireStrongKey } from './algorithms.js';
import { AuthConfigError } from './auth-config-error.js';
import type { KeySource } from './key-source.js';

/** One public key from a PEM file, which is read once. */
export class PublicKeyFile implements KeySource {
  readonly key: KeyObject;

  /** Throws AuthConfigError, whose message starts with `path`. */
  constructor(file: string, path: string) {
    this.key = readPublicKey(file, path);
    requireStrongKey(this.key, path);
  }

  keysFor(): readonly KeyObject[] {
    return [this.key];
  }
}

function readPublicKey(file: string, path: string): KeyObject {
  const pem = readFile(file, path);
  if (pem.includes('PRIVATE KEY-----'))
    throw new AuthConfigError('bad_key', `${path}: must hold a public key, not a private one, which no verifier needs`);
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw new AuthConfigError('bad_key', `${path}: must hold a public key or certificate, PEM; ${file} does not`, {
      cause,
    });
  }
}

function readFile(file: string, path: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new AuthConfigError('missing_key', `${path}: cannot read ${file}`, { cause });
  }
}

import type { EdgeStats, HandshakeIdentifier, Logger } from '@ws-gateway/core';
import { createTokenVerifier, HttpHandshakeIdentifier, type TokenVerifierOptions } from '@ws-gateway/jwt-auth';
import type { JoseTokenVerifier } from '@ws-gateway/jwt-auth';
import type { Config } from '../config/config.js';

/** Who clients are: by their tokens, or by what the application says of those without one. */
export interface Identities {
  readonly verifier: JoseTokenVerifier;
  readonly identifier: HandshakeIdentifier | undefined;
}

/** Throws AuthConfigError. Nothing is asked before the first handshake, or the verifier's `start`. */
export function createIdentities(
  config: Pick<Config, 'auth'>,
  deps: { readonly logger: Logger; readonly stats: EdgeStats },
): Identities {
  const logger = deps.logger.child({ part: 'auth' });
  const { callback } = config.auth;
  return {
    verifier: createTokenVerifier(verifierOptions(config), { logger, keySetReadMs: deps.stats.keySetReadMs }),
    identifier: callback.url === '' ? undefined : new HttpHandshakeIdentifier(callback, { logger }),
  };
}

export function verifierOptions({ auth }: Pick<Config, 'auth'>): TokenVerifierOptions {
  return { ...auth, keysOptional: auth.callback.url !== '' };
}

import type { EdgeStats, HandshakeIdentifier, Identity, Logger, TokenVerifier } from '@ws-gateway/core';
import { createTokenVerifier, HttpHandshakeIdentifier, type TokenVerifierOptions } from '@ws-gateway/jwt-auth';
import type { JoseTokenVerifier } from '@ws-gateway/jwt-auth';
import type { Config } from '../config/config.js';
import type { Reloadable } from './live-config.js';
import { WatchedFiles } from './watched-files.js';

/** Finds who clients are: by their tokens, or by what the application says of those without one. */
export interface Identities {
  readonly verifier: RenewedVerifier;
  readonly identifier: HandshakeIdentifier | undefined;
}

/** Throws AuthConfigError. Nothing is asked before the first handshake, or the verifier's `start`. */
export function createIdentities(
  config: Pick<Config, 'auth' | 'topics'>,
  deps: { readonly logger: Logger; readonly stats: EdgeStats },
): Identities {
  const logger = deps.logger.child({ part: 'auth' });
  const { callback } = config.auth;
  return {
    verifier: new RenewedVerifier(config, { logger, keySetReadMs: deps.stats.keySetReadMs }),
    identifier:
      callback.url === ''
        ? undefined
        : new HttpHandshakeIdentifier({ ...callback, listClaims: listClaims(config) }, { logger }),
  };
}

/**
 * Verifies with the keys that are configured now. Other keys make another verifier, so what the one before remembered of
 * a key that is gone is forgotten with it. Sockets that are open stay: their tokens were good when they came.
 */
export class RenewedVerifier implements TokenVerifier, Reloadable {
  readonly #deps: { readonly logger: Logger; readonly keySetReadMs: Map<string, number> };
  /** Topics as they were at the start: what claims they name needs a restart. */
  readonly #topics: Config['topics'];
  #auth: Config['auth'];
  #verifier: JoseTokenVerifier;
  #watched: WatchedFiles | null = null;

  /** Throws AuthConfigError. */
  constructor(
    { auth, topics }: Pick<Config, 'auth' | 'topics'>,
    deps: { logger: Logger; keySetReadMs: Map<string, number> },
  ) {
    this.#deps = deps;
    this.#topics = topics;
    this.#auth = auth;
    this.#verifier = createTokenVerifier(verifierOptions({ auth, topics }), deps);
  }

  verify(token: string): Promise<Identity> {
    return this.#verifier.verify(token);
  }

  recall(token: string): Identity | null {
    return this.#verifier.recall(token);
  }

  start(): void {
    this.#verifier.start();
    this.#watched = new WatchedFiles(keyFiles(this.#auth), () => this.#renew());
  }

  stop(): void {
    this.#verifier.stop();
    this.#watched?.stop();
  }

  /** Throws AuthConfigError. */
  check(config: Pick<Config, 'auth' | 'topics'>): void {
    checkTokenKeys(config);
  }

  reload({ auth }: Pick<Config, 'auth'>): void {
    if (JSON.stringify(auth) === JSON.stringify(this.#auth)) return this.#watched?.look();
    this.#auth = auth;
    this.#renew();
    this.#watched?.stop();
    this.#watched = new WatchedFiles(keyFiles(auth), () => this.#renew());
  }

  #renew(): void {
    try {
      const next = createTokenVerifier(verifierOptions({ auth: this.#auth, topics: this.#topics }), this.#deps);
      next.takeOver(this.#verifier);
      this.#verifier.stop();
      next.start();
      this.#verifier = next;
      this.#deps.logger.info('keys of tokens renewed');
    } catch (error) {
      this.#deps.logger.error('keys of tokens cannot be used, those before stay', { error });
    }
  }
}

/** Throws AuthConfigError when no verifier could work with these keys, in the configuration or in the files that it names. */
export function checkTokenKeys(config: Pick<Config, 'auth' | 'topics'>): void {
  createTokenVerifier(verifierOptions(config));
}

function keyFiles({ publicKeyFile, issuers }: Config['auth']): string[] {
  return [publicKeyFile, ...issuers.map((issuer) => issuer.publicKeyFile)].filter((file) => file !== '');
}

export function verifierOptions({ auth, topics }: Pick<Config, 'auth' | 'topics'>): TokenVerifierOptions {
  return { ...auth, keysOptional: auth.callback.url !== '', listClaims: listClaims({ topics }) };
}

/** Claims that say which keys of a topic their bearer may have. */
function listClaims({ topics }: Pick<Config, 'topics'>): string[] {
  const claims = [...topics.values()].map(({ keys }) => keys?.claim ?? null).filter((claim) => claim !== null);
  return [...new Set(claims)];
}

export { AuthConfigError, type AuthConfigErrorCode } from './auth-config-error.js';
export { HttpHandshakeIdentifier, type HandshakeIdentifierOptions } from './http-handshake-identifier.js';
export { createTokenVerifier, JoseTokenVerifier } from './jose-token-verifier.js';
export { readKeySet } from './key-set.js';
export type { IssuerOptions, TokenVerifierDeps, TokenVerifierOptions } from './options.js';

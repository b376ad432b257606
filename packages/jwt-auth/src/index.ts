export { AuthConfigError, type AuthConfigErrorCode } from './auth-config-error.js';
export { createTokenVerifier, JoseTokenVerifier } from './jose-token-verifier.js';
export type { TokenVerifierOptions } from './options.js';

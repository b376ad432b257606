import type { Logger } from '@ws-gateway/core';

/** Source of the keys of one issuer, and what its tokens must say. Empty text and lists count as not set. */
export interface IssuerOptions {
  /** Value that `iss` must have; in the `auth` section itself empty means that it is not looked at. */
  readonly issuer?: string;
  /** Shared secret of the HS algorithms. */
  readonly secret?: string;
  /** PEM public key or certificate of the asymmetric algorithms. */
  readonly publicKeyFile?: string;
  /** Key set of the asymmetric algorithms, instead of a file. */
  readonly jwksUrl?: string;
  readonly audience?: string | readonly string[];
  /** The allow-list. Default: HS256 for a secret, all asymmetric ones that fit for a public key or key set. */
  readonly algorithms?: readonly string[];
}

/** The `auth` section of the configuration, as far as tokens are concerned. */
export interface TokenVerifierOptions extends IssuerOptions {
  /** The allow-list; default HS256. */
  readonly algorithms?: readonly string[];
  /** More secrets of the HS algorithms: each of them verifies, as `secret` does. */
  readonly secrets?: readonly string[];
  /** More issuers, told apart by `iss`. */
  readonly issuers?: readonly IssuerOptions[];
  /** Somebody else says who clients are: without any key no token is accepted, and that is no mistake. */
  readonly keysOptional?: boolean;
  /** The claim that names the user; default `sub`. */
  readonly userClaim?: string;
  /** Claims that list what their bearer may have (`Identity.lists`). */
  readonly listClaims?: readonly string[];
  /** Refuse tokens without `exp`. */
  readonly requireExp?: boolean;
  /** Time in ms that the clocks of the issuers may be off; default 0. */
  readonly clockToleranceMs?: number;
  /** Number of verified tokens that are remembered; default 10 000. */
  readonly cacheEntriesMax?: number;
  /** Time limit in ms of reading a key set; default 5 s. */
  readonly jwksTimeoutMs?: number;
  /** Time in ms for which a key set that cannot be read again is used on; default 24 h. */
  readonly jwksMaxStaleMs?: number;
  /** Time between two reads of a key set; default 10 min. */
  readonly jwksRefreshMs?: number;
  /** Time in ms until one more early read is allowed, which bounds what an invented key id may cost; default 30 s. */
  readonly jwksCooldownMs?: number;
}

/** Parts that the verifier may be given; each has a default. */
export interface TokenVerifierDeps {
  /** Time of day in ms, which tokens speak of. */
  readonly clock?: () => number;
  /** A clock in ms that nobody sets, for everything that lasts. */
  readonly monotonicClock?: () => number;
  readonly logger?: Logger;
  /** The verifier writes here when each issuer's key set was last read, by the monotonic clock. */
  readonly keySetReadMs?: Map<string, number>;
}

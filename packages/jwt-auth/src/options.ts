/** The `auth` section of the configuration. Empty text counts as not set. */
export interface TokenVerifierOptions {
  /** Shared secret of the HS algorithms. */
  readonly secret?: string;
  /** The allow-list; default HS256. */
  readonly algorithms?: readonly string[];
  /** PEM public key or certificate of the asymmetric algorithms. */
  readonly publicKeyFile?: string;
  /** Key set of the asymmetric algorithms, instead of a file. */
  readonly jwksUrl?: string;
  readonly issuer?: string;
  readonly audience?: string | readonly string[];
  /** The claim that names the user; default `sub`. */
  readonly userClaim?: string;
  /** Refuse tokens without `exp`. */
  readonly requireExp?: boolean;
  /** Verified tokens remembered at most; default 10 000. */
  readonly cacheEntriesMax?: number;
  /** How long the key set may take to arrive; default 5 s. */
  readonly jwksTimeoutMs?: number;
  /** Shortest time between two fetches that an unknown key id causes; default 30 s. */
  readonly jwksCooldownMs?: number;
}

/** Who the bearer is and what the token allows (contract 2). */
export interface Identity {
  readonly user: string;
  /** ms since the epoch; null: no `exp`. */
  readonly expiresAtMs: number | null;
  readonly issuedAtMs: number | null;
  readonly tokenId: string | null;
  /** Claim `topics`; null: no limit. */
  readonly topics: ReadonlySet<string> | null;
  /** Claim `rooms`; null: no limit. */
  readonly rooms: ReadonlySet<string> | null;
  /** Claim `presence`: may ask for others. */
  readonly presence: boolean;
}

/**
 * Rejects with TokenError (the client's fault) or VerifierUnavailableError (ours). Concurrent identical tokens share the
 * work; a verified token is remembered by the SHA-256 of all of it until it expires, 60 s at most.
 */
export interface TokenVerifier {
  verify(token: string): Promise<Identity>;
}

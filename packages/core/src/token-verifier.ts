/** Who a client is and what it may do, by its token or by what the application says of it. */
export interface Identity {
  readonly user: string;
  /** Time in ms since the epoch at which it ends; null: never. */
  readonly expiresAtMs: number | null;
  readonly issuedAtMs: number | null;
  readonly tokenId: string | null;
  /** Topics that are allowed; null: no limit. */
  readonly topics: ReadonlySet<string> | null;
  /** Rooms that are allowed; null: no limit. */
  readonly rooms: ReadonlySet<string> | null;
  /** True: it may ask for the presence of others. */
  readonly presence: boolean;
  /** What its claims list, by claim, as far as the configuration names such claims; what is not there lists nothing. */
  readonly lists?: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Rejects with TokenError (the client's fault) or VerifierUnavailableError (ours). Concurrent identical tokens share the
 * work; a verified token is remembered by the SHA-256 of all of it until it expires, 60 s at most.
 */
export interface TokenVerifier {
  verify(token: string): Promise<Identity>;
  /** Whose token it is, when that is known without looking at it again; null: it is not. */
  recall(token: string): Identity | null;
}

/** Facts that are known of a handshake that brings no token. */
export interface TokenlessHandshake {
  readonly path: string;
  /** Query as it came, without the question mark. */
  readonly query: string;
  /** Returns a header by its name in small letters; '' for one that did not come. */
  readonly header: (name: string) => string;
  readonly address: string;
}

/**
 * Asks the application who a client without a token is. Rejects with AdmissionDeniedError when the application says no,
 * with VerifierUnavailableError when it says nothing that could be used: that never admits anybody.
 */
export interface HandshakeIdentifier {
  identify(handshake: TokenlessHandshake): Promise<Identity>;
}

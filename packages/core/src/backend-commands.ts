/**
 * Commands that backends answer: a declarative table outside of core. Names are looked up per endpoint; a name that the
 * endpoint doesn't have is unknown.
 */
export interface BackendCommands {
  has(name: string, endpoint: string): boolean;
  /** The subscription that a successful answer will bring, known before the backend is asked; null: none. */
  subscriptionOf(name: string, request: BackendRequest): BackendSubscription | null;
  /** The same text for requests that would make the very same call, credentials included. */
  callKey(name: string, request: BackendRequest): string;
  /**
   * Whatever a backend does becomes an outcome; a rejection is a defect. Who is patient is never told that too much is
   * asked at once: it waits for its turn, in a line of its own, and bounds how many of its calls wait.
   */
  execute(name: string, request: BackendRequest, patience?: 'patient'): Promise<BackendOutcome>;
}

export interface BackendRequest {
  readonly endpoint: string;
  readonly options: unknown;
  /** The `options` member's own text: some subscription ids are hashes of it. */
  readonly optionsText: string;
  /** Forwarded as the client gave it; '' for a guest. */
  readonly authorization: string;
  readonly user: string | null;
}

export interface BackendSubscription {
  readonly id: string;
  readonly resource: string;
}

export interface BackendOutcome {
  readonly status: 'ok' | 'error' | 'unauthorized' | 'forbidden';
  readonly payload: unknown;
  /** Whom the answer names as the bearer of the token, where the command is to say so. */
  readonly user?: string;
  /** What is wrong with the request itself, for which the backend was not asked. */
  readonly mistake?: string;
}

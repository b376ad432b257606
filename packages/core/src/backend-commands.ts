/**
 * Commands that backends answer: a declarative table outside of core. Names are looked up per endpoint; a name that the
 * endpoint does not have is unknown.
 */
export interface BackendCommands {
  has(name: string, endpoint: string): boolean;
  /** Returns the subscription that a successful answer will bring, known before the backend is asked; null: none. */
  subscriptionOf(name: string, request: BackendRequest): BackendSubscription | null;
  /** Returns the same text for requests that would make the very same call, credentials included. */
  callKey(name: string, request: BackendRequest): string;
  /** Executes a command. Whatever a backend does becomes an outcome; a rejection is a defect. */
  execute(name: string, request: BackendRequest, turn?: BackendTurn): Promise<BackendOutcome>;
}

/** How a call waits among those of others. */
export interface BackendTurn {
  /** Client that gets no more than a part of what all share; default: nobody in particular. */
  readonly client?: string;
  /**
   * A patient caller is never told that too much is asked at once: it waits for its turn in a line of its own, and bounds
   * by itself how many of its calls wait.
   */
  readonly patient?: boolean;
  /** Tells that nobody waits for the answer any more: a question whose turn comes then is not asked. */
  readonly isGone?: () => boolean;
}

export interface BackendRequest {
  readonly endpoint: string;
  readonly options: unknown;
  /** Text of the `options` member: some subscription ids are hashes of it. */
  readonly optionsText: string;
  /** Authorization, which is forwarded as the client gave it; '' for a guest. */
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
  /** User whom the answer names as the bearer of the token, where the command says so. */
  readonly user?: string;
  /** Mistake in the request itself, for which the backend was not asked. */
  readonly mistake?: string;
}

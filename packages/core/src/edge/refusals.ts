import type { Refusal } from '../transport.js';

/** HTTP status of each refusal before the upgrade. By command the same codes answer `forbidden`. */
export const refusalStatuses = {
  bad_request: 400,
  unknown_topic: 400,
  too_many_keys: 400,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  user_blocked: 403,
  topic_forbidden: 403,
  key_forbidden: 403,
  room_forbidden: 403,
  user_mismatch: 403,
  not_allowed: 403,
  origin_forbidden: 403,
  unknown_endpoint: 404,
  unknown_hub: 404,
  already_connected: 409,
  too_many_connections: 429,
  draining: 503,
  unavailable: 503,
  full: 503,
} as const;

export type RefusalCode = keyof typeof refusalStatuses;

const RETRY_AFTER_SECONDS: Partial<Record<RefusalCode, number>> = {
  too_many_connections: 10,
  draining: 1,
  unavailable: 2,
  full: 10,
};

/** Throws RefusalError `bad_request` when a connection would have more of `what` than the limit says. 0: no limit. */
export function requireAtMost(limit: number, what: string, count: number): void {
  if (limit === 0 || count <= limit) return;
  throw new RefusalError('bad_request', `at most ${limit} ${what} per connection, not ${count}`);
}

/** Thrown while a handshake or a command is looked at; becomes an HTTP answer or an error payload. */
export class RefusalError extends Error {
  override readonly name = 'RefusalError';
  readonly code: RefusalCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  /** The user whose handshake this ends, as far as that was known; for the log only. */
  user: string | null = null;
  /** Who it says to be, where nobody knows who it is and somebody traces: not verified. */
  claims: readonly string[] = [];

  constructor(code: RefusalCode, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    this.details = details;
  }

  /**
   * Status of the answer to a command: `error` when the request itself or the gateway is at fault, `forbidden` when the
   * client is refused.
   */
  get commandStatus(): 'error' | 'forbidden' {
    return this.code === 'bad_request' || this.code === 'unavailable' ? 'error' : 'forbidden';
  }

  toRefusal(): Refusal {
    const retryAfterSeconds = RETRY_AFTER_SECONDS[this.code];
    return {
      status: refusalStatuses[this.code],
      code: this.code,
      message: this.message,
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

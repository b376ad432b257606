/** HTTP status of each refusal of the admin API; the names tell what to do about it. */
export const adminStatuses = {
  bad_request: 400,
  unknown_topic: 400,
  token_missing: 401,
  token_invalid: 401,
  read_only: 403,
  unknown_endpoint: 404,
  unknown_node: 404,
  unknown_connection: 404,
  not_blocked: 404,
  body_too_large: 413,
  too_many_traces: 429,
  unavailable: 503,
} as const;

export type AdminErrorCode = keyof typeof adminStatuses;

/** Thrown by a handler; becomes `{"error":{"code","message",…details}}`. */
export class AdminError extends Error {
  override readonly name = 'AdminError';
  readonly code: AdminErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: AdminErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

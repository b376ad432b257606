/**
 * The members of an envelope that the gateway reads; `undefined`: absent. The payload is not among them: it is passed on
 * as text.
 */
export class Members {
  id: unknown = undefined;
  type: unknown = undefined;
  user_id: unknown = undefined;
  timestamp: unknown = undefined;
  users: unknown = undefined;
  room: unknown = undefined;
  hub: unknown = undefined;
  broadcast: unknown = undefined;
}

/**
 * A text member: null when absent, null or '' (the default applies), undefined when it is anything else. Strict on
 * purpose: a number taken for text could come out re-formatted (1e21, 0.10), and then an id would not be the producer's.
 */
export function optionalText(value: unknown): string | null | undefined {
  if (typeof value === 'string') return value === '' ? null : value;
  return value === undefined || value === null ? null : undefined;
}

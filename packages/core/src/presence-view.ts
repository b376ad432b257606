import type { PresenceRow } from './engine.js';

/** A connection as callers see it: the answer to the command `presence` and to GET /api/presence. */
export interface ConnectionView {
  readonly connection: string;
  readonly node: string;
  readonly endpoint: string;
  /** RFC 3339. */
  readonly since: string;
}

export function connectionViews(rows: readonly PresenceRow[]): ConnectionView[] {
  return rows.map(({ connection, node, endpoint, sinceMs }) => {
    return { connection, node, endpoint, since: new Date(sinceMs).toISOString() };
  });
}

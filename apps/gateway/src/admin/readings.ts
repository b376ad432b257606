import { parseRfc3339, type HttpRequest } from '@ws-gateway/core';
import { READING_MS } from '../node/node-readings.js';
import { AdminError } from './admin-error.js';
import type { AdminDeps } from './route-context.js';

/** What a node has measured of itself in the last hour, or behind a time. */
export async function readings({ survey }: AdminDeps, request: HttpRequest): Promise<object> {
  const node = request.params['node'] ?? '';
  const after = new URLSearchParams(request.query).get('after');
  const afterMs = after === null ? 0 : parseRfc3339(after);
  if (afterMs === null) throw new AdminError('bad_request', `after: a time as in RFC 3339, not ${after}`);
  const rows = await survey.readings(node, afterMs);
  if (rows === null) throw new AdminError('unknown_node', 'no such node; GET /api/nodes lists them');
  return { node, period_ms: READING_MS, readings: rows };
}

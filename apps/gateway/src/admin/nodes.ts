import type { NodeRow, HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import type { AdminDeps } from './route-context.js';

/** A node as the API tells it. */
export interface NodeView extends Omit<NodeRow, 'sinceMs'> {
  readonly since: string;
}

export async function nodes({ engine }: AdminDeps): Promise<{ nodes: NodeView[] }> {
  const rows = await engine.nodes();
  return {
    nodes: rows
      .map(({ node, role, address, version, sinceMs, connections, users, draining, lag }) => {
        const since = new Date(sinceMs).toISOString();
        return { node, role, address, version, since, connections, users, draining, lag };
      })
      .sort((a, b) => (a.node < b.node ? -1 : 1)),
  };
}

/** Tells the node to go as SIGTERM would; answered before it has gone. */
export async function drain({ engine, logger }: AdminDeps, request: HttpRequest): Promise<object> {
  const node = request.params['node'] ?? '';
  const reached = await engine.control({ kind: 'node', node }, { command: 'drain' });
  if (reached === 0) throw new AdminError('unknown_node', 'no such node; GET /api/nodes lists them');
  logger.info('drain asked for by the admin api', { target: node });
  return { node, draining: true };
}

export async function subscriptions({ survey }: AdminDeps): Promise<object> {
  const { subscriptions, complete } = await survey.subscriptions();
  const rows = Array.from(subscriptions, ([id, connections]) => ({ id, connections }));
  return { subscriptions: rows, ...(complete ? {} : { incomplete: true }) };
}

import type { NodeRow, HttpRequest } from '@ws-gateway/core';
import { AdminError } from './admin-error.js';
import type { AdminDeps } from './route-context.js';

/** A node as the API tells it. */
export interface NodeView extends Omit<NodeRow, 'sinceMs' | 'partitions' | 'deadLetters' | 'ageP99Ms'> {
  readonly since: string;
  readonly partitions: Readonly<Record<string, number>>;
  readonly dead_letters: number;
  /** ms; null: nothing was sent in the last seconds. */
  readonly age_p99_ms: number | null;
}

export async function nodes({ engine }: AdminDeps): Promise<{ nodes: NodeView[] }> {
  const rows = await engine.nodes();
  return {
    nodes: rows
      .map(({ sinceMs, partitions = {}, deadLetters = 0, ageP99Ms = null, ...row }) => {
        const { node, role, address, version, connections, users, draining, lag } = row;
        const since = new Date(sinceMs).toISOString();
        const own = { node, role, address, version, since, connections, users, draining, lag };
        return { ...own, partitions, dead_letters: deadLetters, age_p99_ms: ageP99Ms };
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

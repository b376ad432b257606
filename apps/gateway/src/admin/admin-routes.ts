import type { AdminRoute } from './route-context.js';
import { block, blockOf, blocks, unblock } from './blocks.js';
import { deadLetters } from './dead-letters.js';
import { connections, presence, revokeConnection, revokeUser } from './connections.js';
import { history } from './history.js';
import { drain, nodes, subscriptions } from './nodes.js';
import { openapi } from './openapi.js';
import { publish } from './publish.js';
import { readings } from './readings.js';
import { revoke } from './revocations.js';
import { trace } from './trace.js';
import { erase } from './users.js';

/** The admin API (docs/admin-api.md). openapi.json says the same in detail; a test holds the two together. */
export const adminRoutes: readonly AdminRoute[] = [
  { method: 'POST', path: '/api/publish', handle: publish },
  { method: 'GET', path: '/api/nodes', handle: nodes },
  { method: 'GET', path: '/api/nodes/:node/readings', handle: readings },
  { method: 'POST', path: '/api/nodes/:node/drain', status: 202, handle: drain },
  { method: 'GET', path: '/api/presence/:user', handle: presence },
  { method: 'GET', path: '/api/connections', handle: connections },
  { method: 'DELETE', path: '/api/connections', handle: revokeUser },
  { method: 'DELETE', path: '/api/connections/:id', handle: revokeConnection },
  { method: 'GET', path: '/api/subscriptions', handle: subscriptions },
  { method: 'GET', path: '/api/history/:stream', handle: history },
  { method: 'GET', path: '/api/blocks', handle: blocks },
  { method: 'GET', path: '/api/blocks/:user', handle: blockOf },
  { method: 'POST', path: '/api/blocks/:user', handle: block },
  { method: 'DELETE', path: '/api/blocks/:user', handle: unblock },
  { method: 'DELETE', path: '/api/users/:user', handle: erase },
  { method: 'POST', path: '/api/revocations', handle: revoke },
  { method: 'GET', path: '/api/dead-letters', handle: deadLetters },
  { method: 'GET', path: '/api/trace', handle: trace },
  { method: 'GET', path: '/api/openapi.json', handle: openapi },
];

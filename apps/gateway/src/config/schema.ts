import { accessKeys } from './schema-access.js';
import { backendKeys } from './schema-backends.js';
import { kafka, redis } from './schema-links.js';
import { operationKeys, server } from './schema-server.js';
import { choice } from './formats.js';
import { group, key, type Resolved } from './schema-node.js';
import { trafficKeys } from './schema-traffic.js';

/** All of the configuration (contract 8), in the order of the documentation. */
export const schema = group('', {
  server,
  kafka,
  redis,
  engine: key(
    choice('redis', 'memory'),
    'redis',
    'Where presence, history and routing live. `memory` needs no server, serves one node only and forgets all when it stops.',
  ),
  role: key(
    choice('all', 'edge', 'router'),
    'all',
    'What this node does: `edge` holds the sockets, `router` reads Kafka, `all` does both.',
  ),
  ...accessKeys,
  ...trafficKeys,
  ...backendKeys,
  ...operationKeys,
});

export type SchemaValues = Resolved<typeof schema>;

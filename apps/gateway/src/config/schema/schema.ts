import { accessKeys } from './access-keys.js';
import { backendKeys } from './backends-keys.js';
import { kafka, redis, schemaRegistry } from './links-keys.js';
import { operationKeys, server, sse } from './server-keys.js';
import { choice } from '../language/formats.js';
import { section, key, type Resolved } from '../language/schema-node.js';
import { trafficKeys } from './traffic-keys.js';

/** Schema of the whole configuration, in the order of the documentation. */
export const schema = section('', {
  server,
  sse,
  kafka,
  schemaRegistry,
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

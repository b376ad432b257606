/**
 * Entry point of the measured process: the edge and its transport, fed by the memory engine with messages as a router
 * makes them.
 */
import {
  createEdge,
  EdgeStats,
  EngineStats,
  MemoryEngine,
  type BackendLinks,
  type EdgeDeps,
  type EdgeOptions,
  type Identity,
  type PublishItem,
} from '@ws-gateway/core';
import { serveParent } from '@ws-gateway/load-generator';
import { createUwsTransport } from '@ws-gateway/uws-transport';
import { defaultPolicy, logger } from '../lib/fixtures.js';
import { heads, measureBurst, STREAM, TOPIC, type BurstTask } from '../lib/fanout-frames.js';

const policy = defaultPolicy(TOPIC);
const retention = policy.retention!;

const engine = new MemoryEngine({ node: 'fanout', stats: new EngineStats() });
// Parts that are not used here are left out, so that using one is a failure that shows at once.
const deps: Partial<EdgeDeps> = {
  engine,
  verifier: { verify: async (token) => identityOf(token), recall: () => null },
  links: { start: () => undefined } as unknown as BackendLinks,
  stats: new EdgeStats(),
  sent: null,
  presence: null,
  subscriptions: null,
  logger,
};
const options: Partial<EdgeOptions> = {
  node: 'fanout',
  topics: [policy],
  topicsPerConnection: 1,
  connectionsMax: 0,
  subscriptionsPerConnection: 1,
  heartbeatMs: 0,
  tokenParameters: [],
  allowedOrigins: [],
  clientAddress: () => '',
  connectionsPerUser: 0,
  connectionsPerAddress: 0,
  handshakesPerSecond: 0,
  subprotocols: [],
  maxLifetimeMs: 0,
  sessions: null,
  hubs: [],
  pipes: [],
  limits: {
    requestsPerSecond: 0,
    requestBytesPerSecond: 0,
    badRequests: 0,
    sendsPerSecond: 0,
    surveysPerSecond: 0,
    historyBytes: 1024 * 1024,
  },
  rooms: { policy, roomsPerConnection: 0 },
};
const edge = createEdge(deps as EdgeDeps, options as EdgeOptions);
const listening = {
  host: '127.0.0.1',
  port: 0,
  heartbeatMs: 0,
  maxPayloadBytes: 65_536,
  handshakeTimeoutMs: 60_000,
  writeTimeoutMs: 60_000,
};
const transport = createUwsTransport(edge, listening, logger);
let offset = 0;

async function listen(): Promise<number> {
  await engine.start(edge);
  edge.start();
  return (await transport.listen()).port;
}

async function burst(task: BurstTask): Promise<number> {
  const [top] = await engine.positions([{ stream: STREAM, retention, user: null }]);
  const recordTimeMs = Date.now();
  const items = heads(task, top!.epoch, top!.offset + 1).map((head): PublishItem => {
    return { kind: 'channel', stream: STREAM, retention, sourceOffset: offset++, recordTimeMs, head };
  });
  return measureBurst(task, (first, end) => {
    const batch = items.slice(first, end);
    const lastOffset = batch.at(-1)!.sourceOffset;
    const source = { topic: TOPIC, partition: 0, previousOffset: -1, lastOffset };
    engine.publish({ source, items: batch }).catch((error: unknown) => logger.error('publish failed', { error }));
  });
}

/** Takes the token for the user's name. */
function identityOf(user: string): Identity {
  return { user, expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
}

serveParent({ listen, burst });

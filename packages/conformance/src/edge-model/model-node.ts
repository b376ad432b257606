import {
  type ContinuityLoss,
  createEdge,
  EdgeStats,
  type Edge,
  type EdgeDeps,
  type EdgeOptions,
  type Engine,
  type Identity,
  type Inbox,
  type Logger,
  type NodeCommand,
  type StreamMessage,
} from '@ws-gateway/core';
import { DeviceTransport } from './device-transport.js';
import { roomPolicy, topics } from './scenario.js';

const BARRIER = 'barrier';
/** Barrier users: enough of them that each partition of an engine has at least one. */
const BARRIERS = Array.from({ length: 8 }, (_, at) => `${BARRIER}-${at}`);
const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

/** One engine and one edge, as a process has them. */
export class ModelNode implements Inbox {
  readonly name: string;
  readonly engine: Engine;
  readonly edge: Edge;
  readonly transport = new DeviceTransport();
  readonly faults: string[] = [];
  alive = true;
  readonly #barriers = new Map<string, () => void>();

  constructor(name: string, engine: Engine) {
    this.name = name;
    this.engine = engine;
    // Parts that the model does not use are left out, so that using one is a failure that shows at once.
    const deps: Partial<EdgeDeps> = {
      engine,
      verifier: { verify: async (token) => identityOf(token), recall: () => null },
      backends: { has: () => false, subscriptionOf: () => null } as unknown as EdgeDeps['backends'],
      stats: new EdgeStats(),
      sent: null,
      presence: null,
      subscriptions: null,
      logger: silent,
    };
    const options: Partial<EdgeOptions> = {
      node: name,
      topics,
      topicsPerConnection: 8,
      connectionsMax: 0,
      heartbeatMs: 25_000,
      tokenParameters: ['token'],
      allowedOrigins: [],
      clientAddress: () => '::1',
      connectionsPerUser: 0,
      connectionsPerAddress: 0,
      handshakesPerSecond: 0,
      subprotocols: [],
      maxLifetimeMs: 0,
      sessions: null,
      limits: {
        requestsPerSecond: 0,
        requestBytesPerSecond: 0,
        badRequests: 0,
        sendsPerSecond: 0,
        surveysPerSecond: 0,
        historyBytes: 1024 * 1024,
      },
      subscriptionsPerConnection: 8,
      hubs: [],
      pipes: [],
      rooms: { policy: roomPolicy, roomsPerConnection: 8 },
      sendEverywhere: false,
    };
    this.edge = createEdge(deps as EdgeDeps, options as EdgeOptions);
  }

  async start(): Promise<void> {
    await this.engine.start(this);
    const base = { endpoint: '/ws', sinceMs: 1, streams: [], sessions: null };
    await Promise.all(BARRIERS.map((user) => this.engine.admit({ ...base, user, connection: `${user}@${this.name}` })));
  }

  /** Resolves when this node has got everything that was published before. */
  async reached(publisher: Engine, text: string): Promise<void> {
    const arrivals = BARRIERS.map(
      (user) => new Promise<void>((resolve) => this.#barriers.set(`${BARRIER}/u/${user} ${text}`, resolve)),
    );
    const base = { kind: 'user', topic: BARRIER, retention: null, sourceOffset: -1, recordTimeMs: 1 } as const;
    await publisher.publish({ source: null, items: BARRIERS.map((user) => ({ ...base, user, head: text })) });
    await Promise.all(arrivals);
  }

  deliver(message: StreamMessage): void {
    if (!message.stream.startsWith(BARRIER)) this.edge.deliver(message);
    else this.#barriers.get(`${message.stream} ${Buffer.from(message.frame).toString()}`)?.();
  }

  broadcast(frame: Uint8Array): void {
    this.edge.broadcast(frame);
  }

  command(command: NodeCommand): void {
    this.edge.command(command);
  }

  endBatch(): void {
    this.edge.endBatch();
  }

  /** Nothing in the model could make a rebuild necessary, so one is a fault. */
  rebuild({ reason }: ContinuityLoss): Promise<void> {
    if (this.alive) this.faults.push(`rebuild: ${reason}`);
    return Promise.resolve();
  }

  holds(connection: string, user: string): boolean {
    return this.edge.holds(connection, user);
  }
}

/** Takes the token for the user's name. */
function identityOf(user: string): Identity {
  return { user, expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
}

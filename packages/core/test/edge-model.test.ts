import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  Edge,
  EdgeStats,
  EngineStats,
  MemoryEngine,
  publicStream,
  pushHead,
  userStream,
  type AdmitRequest,
  type AdmitResult,
  type HistoryPage,
  type Identity,
  type Logger,
  type Position,
  type RetainedStream,
  type Socket,
} from '../src/index.js';
import { topicPolicy } from './policies.js';

const HISTORY = 8;
const TOPIC = topicPolicy('notifications', { retention: { mode: 'ordered', size: HISTORY, ttlMs: 60_000 } });
const OWN = userStream('notifications', 'ann');
const PUBLIC = publicStream('notifications');
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Row {
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

/** One client's socket: what it was told and what it was given, as offsets. */
class ModelSocket implements Socket {
  readonly offsets: number[] = [];
  readonly #stream: string;
  told: Row | null = null;
  code: number | null = null;

  constructor(stream: string) {
    this.#stream = stream;
  }

  send(frame: Uint8Array | string): 'sent' | 'closed' {
    if (this.code !== null) return 'closed';
    const message = JSON.parse(typeof frame === 'string' ? frame : Buffer.from(frame).toString()) as {
      event: string;
      offset: number;
      payload: { topics: (Row & { public: Row })[] };
    };
    if (message.event === 'connected') {
      const row = message.payload.topics[0]!;
      this.told = this.#stream === OWN ? row : row.public;
    }
    if (message.event === 'notifications') this.offsets.push(message.offset);
    return 'sent';
  }

  cork(write: () => void): void {
    write();
  }

  bufferedBytes(): number {
    return 0;
  }

  join(): void {}
  leave(): void {}

  end(code: number): void {
    this.code = code;
  }
}

const silent: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {}, child: () => silent };
const ann: Identity = {
  user: 'ann',
  expiresAtMs: null,
  issuedAtMs: null,
  tokenId: null,
  topics: null,
  rooms: null,
  presence: false,
};

/** Answers come turns after the engine decided, as over a network: messages arrive in between. */
class DistantEngine extends MemoryEngine {
  override async admit(request: AdmitRequest): Promise<AdmitResult> {
    const result = await super.admit(request);
    await turn();
    return result;
  }

  override async read(stream: RetainedStream, after: Position | null, limit: number): Promise<HistoryPage> {
    const page = await super.read(stream, after, limit);
    await turn();
    return page;
  }
}

/** One node with the memory engine, one user, and a list of what was published: the model. */
class Model {
  readonly engine = new DistantEngine({ node: 'n', stats: new EngineStats() });
  readonly edge: Edge;
  readonly clients: { readonly socket: ModelSocket; readonly after: Row | null; connection: object; cut: boolean }[] =
    [];
  published = 0;
  readonly #handshakes: Promise<void>[] = [];
  readonly #stream: string;

  constructor(stream: string) {
    this.#stream = stream;
    this.edge = new Edge(
      {
        engine: this.engine,
        verifier: { verify: async () => ann },
        publisher: { publish: () => {} },
        backends: {
          has: () => false,
          subscriptionOf: () => null,
          callKey: () => '',
          execute: async () => ({ status: 'ok', payload: null }),
        },
        stats: new EdgeStats(),
        sent: null,
        presence: null,
        subscriptions: null,
        links: null,
        logger: silent,
      } as unknown as ConstructorParameters<typeof Edge>[0],
      {
        node: 'n',
        topics: [TOPIC],
        topicsPerConnection: 8,
        heartbeatMs: 25_000,
        tokenParameters: ['token'],
        allowedOrigins: [],
        clientAddress: () => '::1',
        connectionsPerUser: 0,
        connectionsPerAddress: 0,
        handshakesPerSecond: 0,
        maxLifetimeMs: 0,
        sessions: null,
        limits: { requestsPerSecond: 0, badRequests: 0 },
        subscriptionsPerConnection: 8,
        hubs: [],
        pipes: [],
        rooms: { policy: { ...TOPIC, retention: null }, roomsPerConnection: 8 },
        sendEverywhere: false,
      } as unknown as ConstructorParameters<typeof Edge>[1],
    );
  }

  /** Not awaited: publishing and cutting go on while the handshake is under way. */
  connect(after: Row | null): void {
    const recover =
      after === null ? '' : `&recover=${encodeURIComponent(`${this.#stream}:${after.epoch}:${after.offset}`)}`;
    this.#handshakes.push(this.#handshake(`token=x&topics=notifications${recover}`, after));
  }

  publish(count: number): void {
    const items = Array.from({ length: count }, () => {
      const number = ++this.published;
      const fields = { event: 'notifications', topic: 'notifications', id: String(number), type: 'n', timestamp: '' };
      const head = pushHead({ ...fields, payload: String(number) }, 'ann', this.#stream);
      const base = { retention: TOPIC.retention, head, sourceOffset: -1, recordTimeMs: 1 };
      return this.#stream === OWN
        ? ({ ...base, kind: 'user', topic: 'notifications', user: 'ann' } as const)
        : ({ ...base, kind: 'channel', stream: PUBLIC } as const);
    });
    void this.engine.publish({ source: null, items });
  }

  cut(at: number): void {
    const open = this.clients.filter((client) => !client.cut);
    const client = open[at % Math.max(1, open.length)];
    if (client === undefined) return;
    client.cut = true;
    this.edge.closed(client.connection, 1006, '');
    client.socket.code = 1006;
  }

  /** Where a client that had this many connections ago would go on. */
  lastPosition(at: number): Row | null {
    const client = this.clients[at % Math.max(1, this.clients.length)];
    if (client === undefined || client.socket.told === null) return null;
    return { epoch: client.socket.told.epoch, offset: client.socket.offsets.at(-1) ?? client.socket.told.offset };
  }

  async settle(): Promise<void> {
    await Promise.all(this.#handshakes);
    for (let at = 0; at < 4; at++) await turn();
  }

  async #handshake(query: string, after: Row | null): Promise<void> {
    const handshake = {
      path: '/ws',
      query,
      authorization: '',
      origin: null,
      protocols: '',
      forwardedFor: '',
      remoteAddress: '::1',
    };
    const admission = await this.edge.admit(handshake, new AbortController().signal);
    if (!admission.admitted) throw new Error(admission.refusal.message);
    await turn();
    const socket = new ModelSocket(this.#stream);
    this.clients.push({ socket, after, connection: admission.connection, cut: false });
    this.edge.opened(admission.connection, socket);
  }
}

type Step = { readonly op: 'publish' | 'connect' | 'resume' | 'cut' | 'turn'; readonly n: number };

const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom('publish', 'connect', 'resume', 'resume', 'cut', 'turn', 'turn'),
  n: fc.integer({ min: 0, max: 11 }),
});

describe('any sequence of publishing, connecting, cutting and resuming', () => {
  it.each([
    ["a user's own stream", OWN],
    ['a public stream', PUBLIC],
  ])('gives each connection to %s all there is, in order, once, up to the newest', async (_, stream) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const model = new Model(stream);
        await model.engine.start(model.edge);
        for (const { op, n } of steps) {
          if (op === 'publish') model.publish(1 + (n % 4));
          else if (op === 'connect') model.connect(null);
          else if (op === 'resume') model.connect(model.lastPosition(n));
          else if (op === 'cut') model.cut(n);
          else await turn();
        }
        await model.settle();
        for (const client of model.clients) check(client, model.published);
        await model.engine.stop();
      }),
      { numRuns: 1500 },
    );
  });
});

function check({ socket, after, cut }: Model['clients'][number], published: number): void {
  const told = socket.told!;
  const { offsets } = socket;
  for (let at = 1; at < offsets.length; at++) expect(offsets[at]).toBe(offsets[at - 1]! + 1);
  const replayed = told.replayed ?? 0;
  if (offsets.length > 0) expect(offsets[0]).toBe(told.offset - replayed + 1);
  if (after !== null && told.recovered === true) expect(told.offset - replayed).toBe(after.offset);
  if (after !== null && told.recovered === false) expect(told.offset - after.offset).toBeGreaterThan(HISTORY);
  if (!cut) expect(offsets.at(-1) ?? told.offset).toBe(published);
}

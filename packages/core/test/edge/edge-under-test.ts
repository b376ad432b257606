import {
  createEdge,
  EdgeStats,
  EngineStats,
  MemoryEngine,
  TokenError,
  type AdmitRequest,
  type AdmitResult,
  type BackendCommands,
  type CloseReason,
  type Edge,
  type EdgeDeps,
  type EdgeOptions,
  type HistoryPage,
  type Identity,
  type Logger,
  type Position,
  type Refusal,
  type RetainedStream,
  type Socket,
} from '../../src/index.js';
import { topicPolicy } from '../policies.js';

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export async function turns(count = 20): Promise<void> {
  for (let at = 0; at < count; at++) await turn();
}

/** Keeps back whoever passes, from `close` until `open`. */
class Gate {
  passing: Promise<void> = Promise.resolve();
  open = (): void => undefined;

  close(): void {
    ({ promise: this.passing, resolve: this.open } = Promise.withResolvers<void>());
  }
}

/** The memory engine, whose answers can be kept back. */
class GatedEngine extends MemoryEngine {
  readonly admissions = new Gate();
  readonly reads = new Gate();

  override async admit(request: AdmitRequest): Promise<AdmitResult> {
    const result = await super.admit(request);
    await this.admissions.passing;
    return result;
  }

  override async positions(streams: readonly RetainedStream[]): Promise<Position[]> {
    const result = await super.positions(streams);
    await this.reads.passing;
    return result;
  }

  override async read(...args: Parameters<MemoryEngine['read']>): Promise<HistoryPage> {
    const result = await super.read(...args);
    await this.reads.passing;
    return result;
  }
}

export interface Answer {
  readonly rid: number;
  readonly event: string;
  readonly status: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** Whether this text is a token, and whose: `<user>` or `<user> <claims as JSON>`; `bad` is none. */
function identityOf(token: string): Identity {
  if (token.startsWith('bad')) throw new TokenError('token_invalid', 'no token of ours');
  const [user, claims = '{}'] = token.split(/ (.*)/s) as [string, string?];
  const { topics = null, rooms = null, jti = null } = JSON.parse(claims) as Record<string, string[] | null>;
  const list = (names: string[] | null) => (names === null ? null : new Set(names));
  return {
    user,
    expiresAtMs: null,
    issuedAtMs: null,
    tokenId: jti as string | null,
    topics: list(topics),
    rooms: list(rooms),
    presence: false,
  };
}

/** One node with the memory engine; tests replace what they care about. */
export class EdgeUnderTest {
  readonly engine = new GatedEngine({ node: 'n1', stats: new EngineStats() });
  readonly tokens = new Gate();
  readonly stats = new EdgeStats();
  readonly logged: string[] = [];
  /** Bytes that clients who come from now on take before they stall (see ClientUnderTest.drain). */
  clientsTake = Number.POSITIVE_INFINITY;
  readonly edge: Edge;

  constructor(changes: { deps?: Partial<EdgeDeps>; options?: Partial<EdgeOptions> } = {}) {
    const logger: Logger = {
      error: (message) => void this.logged.push(`error ${message}`),
      warn: (message) => void this.logged.push(`warn ${message}`),
      info: () => undefined,
      debug: () => undefined,
      child: () => logger,
    };
    const deps = {
      engine: this.engine,
      verifier: { verify: (token: string) => this.tokens.passing.then(() => identityOf(token)), recall: () => null },
      backends: noBackends,
      links: { start: () => undefined },
      stats: this.stats,
      sent: null,
      presence: null,
      subscriptions: null,
      logger,
      ...changes.deps,
    } as unknown as EdgeDeps;
    this.edge = createEdge(deps, { ...edgeOptions, ...changes.options });
  }

  async start(): Promise<this> {
    await this.engine.start(this.edge);
    return this;
  }

  async stop(): Promise<void> {
    await this.edge.stop();
    await this.engine.stop();
  }

  /** Throws the refusal's code. */
  async connect(path = '/web', token = '', query = ''): Promise<ClientUnderTest> {
    const client = await this.handshake(path, token, query);
    if (!(client instanceof ClientUnderTest)) throw new Error(client.code);
    return client;
  }

  async handshake(
    path: string,
    token: string,
    query: string,
    from: { address?: string; protocols?: string } = {},
  ): Promise<ClientUnderTest | Refusal> {
    const { address = '::1', protocols = '' } = from;
    const authorization = token === '' ? '' : `Bearer ${token}`;
    const handshake = {
      path,
      query,
      authorization,
      origin: null,
      protocols,
      forwardedFor: '',
      remoteAddress: address,
      header: () => '',
    };
    const reception = this.edge.receive(handshake);
    if (!reception.received) return reception.refusal;
    const admission = await this.edge.admit(reception.arrival, { aborted: false });
    if (!admission.admitted) return admission.refusal;
    return new ClientUnderTest(this.edge, admission.connection, this.clientsTake);
  }

  rows(...users: string[]): Promise<number[]> {
    return Promise.all(users.map(async (user) => (await this.engine.presence(user)).length));
  }

  /** A message to a user's own stream of a topic, or to its public stream. */
  async publish(topic: string, user: string | null, text: string): Promise<void> {
    const { retention } = topicPolicy(topic);
    const stream = user === null ? `${topic}/*` : `${topic}/u/${user}`;
    const head = `{"rid":-1,"event":"${topic}","status":"update","payload":"${text}","stream":"${stream}","epoch":"`;
    const base = { sourceOffset: -1, recordTimeMs: 1, retention, head };
    const item =
      user === null
        ? ({ ...base, kind: 'channel', stream } as const)
        : ({ ...base, kind: 'user', topic, user } as const);
    await this.engine.publish({ source: null, items: [item] });
    await turn();
  }
}

/** A client with an open socket. */
export class ClientUnderTest {
  readonly connection: object;
  readonly texts: string[] = [];
  /** The close frame that the gateway sent; null: none. */
  ended: CloseReason | null = null;
  /** Times that the gateway asked whether the client is still there. */
  probes = 0;
  /** Frames that the client has not taken from the transport. */
  readonly #untaken: string[] = [];
  #takes: number;
  readonly #edge: Edge;
  #rid = 0;

  constructor(edge: Edge, connection: object, takes: number) {
    this.connection = connection;
    this.#edge = edge;
    this.#takes = takes;
    edge.opened(connection, this.#socket());
  }

  get frames(): (Answer & Readonly<Record<string, unknown>>)[] {
    return this.texts.map((text) => JSON.parse(text) as Answer & Readonly<Record<string, unknown>>);
  }

  /** Payloads of what was pushed. */
  get updates(): unknown[] {
    return this.frames.filter(({ status }) => status === 'update').map(({ payload }) => payload);
  }

  /** Gives the number of the request; the answer comes later. */
  send(command: string, options: object = {}): number {
    const rid = ++this.#rid;
    this.write(JSON.stringify({ rid, command, options }));
    return rid;
  }

  write(text: string): void {
    if (this.ended !== null) return;
    this.#edge.message(this.connection, new TextEncoder().encode(text).buffer as ArrayBuffer);
  }

  async answer(rid: number): Promise<Answer> {
    for (let at = 0; at < 10_000; at++) {
      const answer = this.frames.find((frame) => frame.rid === rid);
      if (answer !== undefined) return answer;
      await turn();
    }
    throw new Error(`request ${rid} was not answered`);
  }

  ask(command: string, options: object = {}): Promise<Answer> {
    return this.answer(this.send(command, options));
  }

  /** Bytes that the transport holds. */
  get pending(): number {
    return this.#untaken.reduce((sum, text) => sum + text.length, 0);
  }

  /** Takes all that the transport holds, and no more. */
  drain(): void {
    this.texts.push(...this.#untaken.splice(0));
    this.#edge.drained(this.connection);
  }

  close(code = 1000): void {
    this.ended = { code, reason: '' };
    this.#edge.closed(this.connection, code, '');
  }

  #socket(): Socket {
    return {
      transport: { publish: () => undefined },
      send: (frame) => {
        const text = typeof frame === 'string' ? frame : Buffer.from(frame).toString();
        if (this.#takes > 0) this.texts.push(text);
        else this.#untaken.push(text);
        this.#takes -= text.length;
        return this.#untaken.length === 0 ? 'sent' : 'buffered';
      },
      cork: (write) => write(),
      // A little is as much as a full buffer here, so that no test needs megabytes.
      bufferedBytes: () => this.pending * 1000,
      join: () => undefined,
      leave: () => undefined,
      probe: () => void this.probes++,
      end: (code, reason) => {
        this.ended ??= { code, reason };
        setImmediate(() => this.#edge.closed(this.connection, code, reason));
      },
    };
  }
}

const noBackends = { has: () => false, subscriptionOf: () => null } as unknown as BackendCommands;

/** A node with a client of ann's, for whom two notifications are kept. */
export async function startWithAnn(): Promise<{ node: EdgeUnderTest; client: ClientUnderTest }> {
  const node = await new EdgeUnderTest().start();
  for (const text of ['one', 'two']) await node.publish('notifications', 'ann', text);
  return { node, client: await node.connect('/ws', 'ann') };
}

/** Limits that limit nothing. */
export const unlimited = {
  requestsPerSecond: 0,
  requestBytesPerSecond: 0,
  badRequests: 0,
  sendsPerSecond: 0,
  surveysPerSecond: 0,
  historyBytes: 1024 * 1024,
};

const edgeOptions = {
  node: 'n1',
  topics: [topicPolicy('notifications'), topicPolicy('news', { guests: true })],
  topicsPerConnection: 8,
  connectionsMax: 0,
  subscriptionsPerConnection: 8,
  heartbeatMs: 25_000,
  tokenParameters: ['token'],
  allowedOrigins: [],
  clientAddress: ({ remoteAddress }) => remoteAddress,
  connectionsPerUser: 0,
  connectionsPerAddress: 0,
  handshakesPerSecond: 0,
  subprotocols: [],
  maxLifetimeMs: 0,
  sessions: null,
  limits: unlimited,
  hubs: ['main'],
  eventsPath: '/sse',
  pipes: [],
  pipeActionBytes: 1000,
  rooms: { policy: { ...topicPolicy('rooms'), name: 'room' }, roomsPerConnection: 8 },
  sendEverywhere: true,
} satisfies EdgeOptions;

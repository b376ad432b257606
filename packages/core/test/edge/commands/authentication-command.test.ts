import { afterEach, describe, expect, it } from '@jest/globals';
import {
  Edge,
  EdgeStats,
  EngineStats,
  EventLog,
  LabelCounter,
  MemoryEngine,
  PresenceEvents,
  type AdmitRequest,
  type AdmitResult,
  type EdgeDeps,
  type EdgeOptions,
  type Identity,
  type Logger,
  type OutgoingRecord,
  type Socket,
} from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';

const TOPIC = topicPolicy('notifications');
const silent: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

/** Keeps back whoever passes, from `close` until `open`. */
class Gate {
  passing: Promise<void> = Promise.resolve();
  open = (): void => undefined;

  close(): void {
    ({ promise: this.passing, resolve: this.open } = Promise.withResolvers<void>());
  }
}

class SlowEngine extends MemoryEngine {
  readonly answers = new Gate();

  override async admit(request: AdmitRequest): Promise<AdmitResult> {
    const result = await super.admit(request);
    await this.answers.passing;
    return result;
  }
}

/** One node, one open socket on the guests' endpoint; the token is the user's name. */
class Desk {
  readonly engine = new SlowEngine({ node: 'n1', stats: new EngineStats() });
  readonly tokens = new Gate();
  readonly written: OutgoingRecord[] = [];
  readonly answers = new Map<number, { status: string; payload: unknown }>();
  readonly edge: Edge;
  readonly #log = new EventLog(
    {
      writer: { write: async (_, records) => void this.written.push(...records), stop: async () => undefined },
      dropped: new LabelCounter(),
      logger: silent,
    },
    'ws-presence',
  );
  connection: object = {};
  #rid = 0;

  private constructor() {
    const deps = {
      engine: this.engine,
      verifier: { verify: (token: string) => this.tokens.passing.then(() => identityOf(token)) },
      publisher: { publish: () => undefined },
      backends: { has: () => false, subscriptionOf: () => null },
      links: null,
      stats: new EdgeStats(),
      sent: null,
      presence: new PresenceEvents(this.#log, 'n1'),
      subscriptions: null,
      logger: silent,
    } as unknown as EdgeDeps;
    const options = {
      node: 'n1',
      topics: [TOPIC],
      topicsPerConnection: 8,
      tokenParameters: ['token'],
      allowedOrigins: [],
      clientAddress: () => '::1',
      connectionsPerUser: 2,
      connectionsPerAddress: 0,
      handshakesPerSecond: 0,
      maxLifetimeMs: 0,
      sessions: null,
      limits: { requestsPerSecond: 0, badRequests: 0 },
      hubs: [],
      pipes: [],
      rooms: { policy: { ...TOPIC, retention: null }, roomsPerConnection: 8 },
    } as unknown as EdgeOptions;
    this.edge = new Edge(deps, options);
  }

  static async open(user: string): Promise<Desk> {
    const handshakerDeps = new Desk();
    await handshakerDeps.engine.start(handshakerDeps.edge);
    await handshakerDeps.connect(user);
    return handshakerDeps;
  }

  /** One more connection, which is the one that authenticates from now on. */
  async connect(user: string): Promise<void> {
    const handshake = { path: '/web', query: `token=${user}`, authorization: '', origin: null };
    const from = { protocols: '', forwardedFor: '', remoteAddress: '::1', header: () => '' };
    const admission = await this.edge.admit({ ...handshake, ...from }, new AbortController().signal);
    if (!admission.admitted) throw new Error(admission.refusal.message);
    this.connection = admission.connection;
    this.edge.opened(admission.connection, this.#socket());
  }

  /** Gives the number of the request; the answer comes later. */
  authenticate(user: string, update?: true): number {
    const rid = ++this.#rid;
    const options = { ...(user === '' ? {} : { authToken: user }), ...(update && { update }) };
    const request = { rid, command: 'authentication', options };
    this.edge.message(this.connection, new TextEncoder().encode(JSON.stringify(request)).buffer);
    return rid;
  }

  async answer(rid: number): Promise<unknown> {
    while (!this.answers.has(rid)) await turn();
    return this.answers.get(rid);
  }

  async events(): Promise<Record<string, string>[]> {
    await this.#log.stop();
    return this.written.map(({ value }) => JSON.parse(value!.toString()) as Record<string, string>);
  }

  async rows(...users: string[]): Promise<number[]> {
    return Promise.all(users.map(async (user) => (await this.engine.presence(user)).length));
  }

  #socket(): Socket {
    const send = (frame: Uint8Array | string): 'sent' => {
      const text = typeof frame === 'string' ? frame : Buffer.from(frame).toString();
      const { rid, status, payload } = JSON.parse(text) as { rid: number; status: string; payload: unknown };
      this.answers.set(rid, { status, payload });
      return 'sent';
    };
    const nothing = (): void => undefined;
    return { send, cork: (write) => write(), bufferedBytes: () => 0, join: nothing, leave: nothing, end: nothing };
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function identityOf(user: string): Identity {
  return { user, expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
}

let handshakerDeps: Desk;
afterEach(() => handshakerDeps.engine.stop());

const brief = (events: readonly Record<string, string>[]) =>
  events.map(({ user_id, event, reason }) => `${user_id} ${event} ${reason}`.trim());

describe('presence of a connection that changes its user', () => {
  it('ends for the former user and begins for the new one; a guest has none', async () => {
    handshakerDeps = await Desk.open('ann');
    await handshakerDeps.answer(handshakerDeps.authenticate('bob'));
    await handshakerDeps.answer(handshakerDeps.authenticate(''));
    await handshakerDeps.answer(handshakerDeps.authenticate('ann'));
    await handshakerDeps.answer(handshakerDeps.authenticate('ann'));
    handshakerDeps.edge.closed(handshakerDeps.connection, 1000, 'bye');
    expect(brief(await handshakerDeps.events())).toEqual([
      'ann connected',
      'ann disconnected authentication',
      'bob connected',
      'bob disconnected authentication',
      'ann connected',
      'ann disconnected bye',
    ]);
    expect(await handshakerDeps.rows('ann', 'bob')).toEqual([0, 0]);
  });

  it('tells by `since` which of a user’s times with one connection is meant', async () => {
    handshakerDeps = await Desk.open('ann');
    await handshakerDeps.answer(handshakerDeps.authenticate('bob'));
    await handshakerDeps.answer(handshakerDeps.authenticate('ann'));
    const [row] = await handshakerDeps.engine.presence('ann');
    const times = (await handshakerDeps.events()).filter(({ user_id }) => user_id === 'ann').map(({ since }) => since!);
    expect(times[1]).toBe(times[0]);
    expect(times[2]! > times[0]!).toBe(true);
    // What a reaper would say of it.
    expect(new Date(row!.sinceMs).toISOString()).toBe(times[2]);
  });

  it('stays with the former user when the new one is blocked', async () => {
    handshakerDeps = await Desk.open('ann');
    const [before] = await handshakerDeps.engine.presence('ann');
    await handshakerDeps.engine.block('bob', { reason: '', expiresAtMs: null });
    expect(await handshakerDeps.answer(handshakerDeps.authenticate('bob'))).toMatchObject({ status: 'forbidden' });
    expect(await handshakerDeps.engine.presence('ann')).toEqual([before]);
    expect(brief(await handshakerDeps.events())).toEqual(['ann connected']);
  });
});

describe('a connection that stays what it was', () => {
  it('when an update brings no token', async () => {
    handshakerDeps = await Desk.open('ann');
    const answer = await handshakerDeps.answer(handshakerDeps.authenticate('', true));
    expect(answer).toMatchObject({ status: 'forbidden', payload: { code: 'user_mismatch' } });
    expect(await handshakerDeps.rows('ann')).toEqual([1]);
  });

  it('when the other user has as many connections as are allowed', async () => {
    handshakerDeps = await Desk.open('bob');
    await handshakerDeps.connect('bob');
    await handshakerDeps.connect('cleo');
    const answer = await handshakerDeps.answer(handshakerDeps.authenticate('bob'));
    expect(answer).toMatchObject({ status: 'forbidden', payload: { code: 'too_many_connections' } });
    expect(await handshakerDeps.rows('cleo', 'bob')).toEqual([1, 2]);
  });
});

describe('a connection that ends while its user changes', () => {
  // It was entered into the table of users again, and into the engine for good: a ghost until the node's end.
  it.each([
    ['the token of another user is verified', 'bob', () => handshakerDeps.tokens],
    ['a new token of the same user is verified', 'ann', () => handshakerDeps.tokens],
    ['the engine admits another user', 'bob', () => handshakerDeps.engine.answers],
    ['the engine refuses another user', 'blocked', () => handshakerDeps.engine.answers],
  ])('while %s: leaves no row, and is told as the former user’s', async (_, user, gate) => {
    handshakerDeps = await Desk.open('ann');
    await handshakerDeps.engine.block('blocked', { reason: '', expiresAtMs: null });
    gate().close();
    handshakerDeps.authenticate(user);
    handshakerDeps.authenticate('cleo');
    await turn();
    handshakerDeps.edge.closed(handshakerDeps.connection, 1006, '');
    gate().open();
    for (let at = 0; at < 5; at++) await turn();
    expect(await handshakerDeps.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 0]);
    expect([handshakerDeps.edge.connectionCount, handshakerDeps.edge.userCount]).toEqual([0, 0]);
    expect(brief(await handshakerDeps.events())).toEqual(['ann connected', 'ann disconnected 1006']);
  });
});

describe('changes of user that are asked for at once', () => {
  // The refused one gave the connection back to the user before it, whose row and place in the table then stayed.
  it('happen one behind the other', async () => {
    handshakerDeps = await Desk.open('ann');
    await handshakerDeps.engine.block('bob', { reason: '', expiresAtMs: null });
    handshakerDeps.engine.answers.close();
    const [first, second] = ['bob', 'cleo'].map((user) => handshakerDeps.authenticate(user));
    await turn();
    handshakerDeps.engine.answers.open();
    expect(await handshakerDeps.answer(first!)).toMatchObject({ status: 'forbidden' });
    expect(await handshakerDeps.answer(second!)).toMatchObject({ status: 'ok' });
    expect(await handshakerDeps.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 1]);
    handshakerDeps.edge.closed(handshakerDeps.connection, 1000, '');
    expect([handshakerDeps.edge.connectionCount, handshakerDeps.edge.userCount]).toEqual([0, 0]);
    expect(await handshakerDeps.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 0]);
  });
});

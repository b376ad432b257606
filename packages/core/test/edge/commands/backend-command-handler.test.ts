import { ofNoRecord } from '../../../src/inbox.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  createEdge,
  EdgeStats,
  EngineStats,
  MemoryEngine,
  type BackendCommands,
  type BackendOutcome,
  type BackendRequest,
  type BackendTurn,
  type Edge,
  type EdgeDeps,
  type EdgeOptions,
  type Identity,
  type Logger,
  type Socket,
} from '../../../src/index.js';
import { topicPolicy } from '../../policies.js';
import { unlimited } from '../edge-under-test.js';

const TOPIC = topicPolicy('notifications');
const ID = 'id-of-list';

interface Frame {
  readonly rid: number;
  readonly event: string;
  readonly status: string;
  readonly payload: unknown;
}

interface Call {
  readonly request: BackendRequest;
  readonly turn: BackendTurn;
  readonly answer: (outcome: BackendOutcome) => void;
  readonly fail: (error: Error) => void;
}

/** A table with the one command `list`, which subscribes; the test answers its calls. */
class HeldCommands implements BackendCommands {
  readonly calls: Call[] = [];

  has(name: string): boolean {
    return name === 'list';
  }

  subscriptionOf(): { id: string; resource: string } {
    return { id: ID, resource: 'list' };
  }

  callKey(_: string, { authorization }: BackendRequest): string {
    return authorization;
  }

  execute(_: string, request: BackendRequest, turn: BackendTurn = {}): Promise<BackendOutcome> {
    return new Promise((answer, fail) => this.calls.push({ request, turn, answer, fail }));
  }
}

class Client implements Socket {
  readonly transport = { publish: () => undefined };
  readonly frames: Frame[] = [];
  connection: object = {};
  #rid = 0;
  readonly #edge: Edge;

  constructor(edge: Edge) {
    this.#edge = edge;
  }

  send(frame: Uint8Array | string): 'sent' {
    const text = typeof frame === 'string' ? frame : Buffer.from(frame).toString();
    this.frames.push(JSON.parse(text) as Frame);
    return 'sent';
  }

  cork(write: () => void): void {
    write();
  }

  bufferedBytes(): number {
    return 0;
  }

  probe(): void {}
  join(): void {}
  leave(): void {}
  end(): void {}

  ask(command: string, options: object = {}): number {
    const rid = ++this.#rid;
    const text = JSON.stringify({ rid, command, options });
    this.#edge.message(this.connection, new TextEncoder().encode(text).buffer);
    return rid;
  }

  get shown(): string[] {
    return this.frames.map(({ rid, event, status, payload }) => `${rid} ${event} ${status} ${JSON.stringify(payload)}`);
  }
}

const ok = (payload: unknown): BackendOutcome => ({ status: 'ok', payload });
const failed: BackendOutcome = { status: 'error', payload: { code: 'backend_error', message: 'no' } };

let errors: string[];
let engine: MemoryEngine;
let commands: HeldCommands;
let edge: Edge;

const logger: Logger = {
  error: (message) => void errors.push(message),
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};

beforeEach(async () => {
  errors = [];
  engine = new MemoryEngine({ node: 'n1', stats: new EngineStats() });
  commands = new HeldCommands();
  const deps = {
    engine,
    backends: commands,
    verifier: { verify: async (user: string): Promise<Identity> => identityOf(user), recall: () => null },
    stats: new EdgeStats(),
    ...{ links: null, sent: null, presence: null, subscriptions: null, logger },
  } as unknown as EdgeDeps;
  const options = {
    ...{ node: 'n1', topics: [TOPIC], topicsPerConnection: 8, subscriptionsPerConnection: 2 },
    ...{
      tokenParameters: ['token'],
      subprotocols: [],
      connectionsMax: 0,
      allowedOrigins: [],
      clientAddress: () => '::1',
    },
    ...{ connectionsPerUser: 0, connectionsPerAddress: 0, handshakesPerSecond: 0, maxLifetimeMs: 0, sessions: null },
    ...{ limits: unlimited, hubs: [], pipes: [] },
    rooms: { policy: { ...TOPIC, retention: null }, roomsPerConnection: 8 },
  } as unknown as EdgeOptions;
  edge = createEdge(deps, options);
  await engine.start(edge);
});
afterEach(() => engine.stop());

function identityOf(user: string): Identity {
  return { user, expiresAtMs: null, issuedAtMs: null, tokenId: null, topics: null, rooms: null, presence: false };
}

async function connect(user: string): Promise<Client> {
  const handshake = { path: '/web', query: `token=${user}`, authorization: '', origin: null };
  const from = { protocols: '', forwardedFor: '', remoteAddress: '::1', header: () => '' };
  const reception = edge.receive({ ...handshake, ...from });
  if (!reception.received) throw new Error(reception.refusal.message);
  const admission = await edge.admit(reception.arrival, { aborted: false });
  if (!admission.admitted) throw new Error(admission.refusal.message);
  const client = new Client(edge);
  client.connection = admission.connection;
  edge.opened(admission.connection, client);
  client.frames.length = 0;
  return client;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((go) => setImmediate(go));
}

async function asked(count: number): Promise<void> {
  await until(() => commands.calls.length >= count);
}

async function settled(client: Client, frames: number): Promise<void> {
  await until(() => client.frames.length >= frames);
}

/** A live frame to the subscription id, as the router writes it. */
function live(status: 'update' | 'reload', payload: unknown): void {
  const frame = Buffer.from(`{"rid":-1,"event":"${ID}","status":"${status}","payload":${JSON.stringify(payload)}}`);
  const message = { stream: `sub/${ID}`, epoch: '', offset: 0, recordTimeMs: Date.now(), frame, except: '' };
  edge.deliver({ ...message, ...ofNoRecord, seen: false } as Parameters<Edge['deliver']>[0]);
  edge.endBatch();
}

/**
 * The second of two equal commands used to ride on the first one's subscription: when the first failed it took the
 * subscription away, and the second was answered with the id of a subscription that was not there.
 */
describe('equal commands at once', () => {
  it('own their subscription each: it stays when the first one fails and the second does not', async () => {
    const client = await connect('ann');
    client.ask('list');
    client.ask('list');
    await asked(2);
    commands.calls[0]?.answer(failed);
    await settled(client, 1);
    live('update', 1);
    commands.calls[1]?.answer(ok('second'));
    await settled(client, 3);
    live('update', 2);
    expect(client.shown).toEqual([
      '1 list error {"code":"backend_error","message":"no"}',
      `2 ${ID} ok "second"`,
      `-1 ${ID} update 1`,
      `-1 ${ID} update 2`,
    ]);
  });

  it('bring what came meanwhile behind the first good answer, once, whichever command that answers', async () => {
    const client = await connect('ann');
    client.ask('list');
    client.ask('list');
    await asked(2);
    live('update', 1);
    commands.calls[1]?.answer(ok('second'));
    await settled(client, 2);
    commands.calls[0]?.answer(ok('first'));
    await settled(client, 3);
    live('update', 2);
    expect(client.shown).toEqual([
      `2 ${ID} ok "second"`,
      `-1 ${ID} update 1`,
      `1 ${ID} ok "first"`,
      `-1 ${ID} update 2`,
    ]);
  });

  it('keep a subscription that an earlier command was granted, and leave none when all of them fail', async () => {
    const [client, other] = [await connect('ann'), await connect('bob')];
    client.ask('list');
    await asked(1);
    commands.calls[0]?.answer(ok(1));
    await settled(client, 1);
    client.ask('list');
    other.ask('list');
    other.ask('list');
    await asked(4);
    for (const { answer } of commands.calls.slice(1)) answer(failed);
    await settled(other, 2);
    live('update', 1);
    expect(client.shown.at(-1)).toBe(`-1 ${ID} update 1`);
    expect(other.shown.filter((text) => text.includes('update'))).toEqual([]);
  });

  it('count as one subscription towards the limit', async () => {
    const client = await connect('ann');
    for (let at = 0; at < 5; at++) client.ask('list');
    await asked(5);
    for (const { answer } of commands.calls) answer(ok(1));
    await settled(client, 5);
    expect(client.frames.map(({ status }) => status)).toEqual(Array(5).fill('ok'));
  });
});

describe('a reload', () => {
  async function subscribed(...users: string[]): Promise<Client[]> {
    const clients = await Promise.all(users.map(connect));
    for (const client of clients) {
      client.ask('list');
      const call = commands.calls.length;
      await asked(call + 1);
      commands.calls[call]?.answer(ok(0));
      await settled(client, 1);
    }
    commands.calls.length = 0;
    return clients;
  }

  it.each<[string, BackendOutcome, object]>([
    ['is away', failed, { code: 'backend_error', message: 'no' }],
    [
      'refuses',
      { status: 'forbidden', payload: { code: 'E7', message: 'not you', more: 1 } },
      { code: 'E7', message: 'not you' },
    ],
    [
      'says nothing that could be passed on',
      { status: 'unauthorized', payload: [] },
      { code: 'unauthorized', message: 'the subscription could not be reloaded' },
    ],
  ])('that cannot be done is told under the subscription id when the backend %s', async (_, outcome, payload) => {
    const [client] = await subscribed('ann');
    live('reload', null);
    await asked(1);
    commands.calls[0]?.answer(outcome);
    await settled(client!, 2);
    expect(client!.frames[1]).toEqual({ rid: -1, event: ID, status: 'error', payload });
  });

  it('that fails by a defect is told and logged, and ends neither node nor later reloads', async () => {
    const [client] = await subscribed('ann');
    live('reload', null);
    await asked(1);
    commands.calls[0]?.fail(new RangeError('Maximum call stack size exceeded'));
    await settled(client!, 2);
    expect(client!.frames[1]).toMatchObject({ status: 'error', payload: { code: 'internal_error' } });
    expect(errors).toEqual(['reload failed']);
    live('reload', null);
    await asked(2);
    commands.calls[1]?.answer(ok('again'));
    await settled(client!, 3);
    expect(client!.shown[2]).toBe(`-1 ${ID} reload "again"`);
  });

  it('asks for all subscribers, however many they are, so many at once and patiently', async () => {
    const users = Array.from({ length: 70 }, (_, at) => `user-${at}`);
    const clients = await subscribed(...users);
    live('reload', null);
    await asked(64);
    for (let at = 0; at < 70; at++) {
      await asked(at + 1);
      expect(commands.calls.length).toBeLessThanOrEqual(at + 64);
      expect(commands.calls[at]?.turn.patient).toBe(true);
      commands.calls[at]?.answer(ok(at));
    }
    for (const client of clients) await settled(client, 2);
    expect(new Set(clients.map((client) => client.frames[1]?.status))).toEqual(new Set(['reload']));
  });

  it('that comes again before its turn is asked for once, and asks again while a call is under way', async () => {
    const [client] = await subscribed('ann');
    live('reload', 1);
    live('reload', 2);
    await asked(1);
    live('reload', 3);
    commands.calls[0]?.answer(ok('old'));
    await asked(2);
    commands.calls[1]?.answer(ok('new'));
    await settled(client!, 3);
    expect(client!.shown.slice(1)).toEqual([`-1 ${ID} reload "old"`, `-1 ${ID} reload "new"`]);
    expect(commands.calls).toHaveLength(2);
  });

  it('that comes before the first answer is made up for behind it', async () => {
    const client = await connect('ann');
    client.ask('list');
    await asked(1);
    live('reload', null);
    commands.calls[0]?.answer(ok('old'));
    await asked(2);
    commands.calls[1]?.answer(ok('new'));
    await settled(client, 2);
    expect(client.shown).toEqual([`1 ${ID} ok "old"`, `-1 ${ID} reload "new"`]);
  });

  it('is not told to who has left meanwhile', async () => {
    const [client] = await subscribed('ann');
    live('reload', null);
    await asked(1);
    client!.ask('subscription', { ids: [ID], action: 'unsubscribe' });
    commands.calls[0]?.answer(ok('late'));
    client!.ask('ping');
    await settled(client!, 3);
    expect(client!.frames.map(({ event }) => event)).toEqual([ID, 'subscription', 'ping']);
  });
});

describe('a command of a back end', () => {
  it('waits among those of its user, and is wanted as long as its connection is open', async () => {
    const [first, second] = [await connect('ann'), await connect('ann')];
    for (const client of [first, second, await connect('bob')]) client.ask('list');
    await asked(3);
    const turns = commands.calls.map(({ turn }) => turn);
    expect(turns.map(({ client }) => client)).toEqual(['user ann', 'user ann', 'user bob']);
    edge.closed(first.connection, 1000, '');
    expect(turns.map(({ isGone }) => isGone!())).toEqual([true, false, false]);
  });
});

import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import { GatewayCluster, token } from '../gateway-cluster.js';
import { fuzzSeed } from './hostile-frames.js';

const ADMIN = 'admin-of-the-pipelines';
const unlimited = { requestsPerSecond: 0, requestBytesPerSecond: 0, sendsPerSecond: 0, surveysPerSecond: 0 };

let cluster: GatewayCluster;

beforeAll(async () => {
  const limits = { ...unlimited, badRequests: 0 };
  const config = { admin: { token: ADMIN }, hubs: [{ name: 'main' }], inbound: { enabled: true }, limits };
  cluster = await GatewayCluster.open({ nodes: [{ config }] });
  await api('POST', 'blocks/owner', { reason: 'fraud' });
  await api('POST', 'publish', { topic: 'notifications', user_id: 'owner', payload: 'secret of owner' });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${ADMIN}` };
  const answer = await fetch(`${cluster.nodes[0]!.httpUrl}/api/${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  return (await answer.json()) as Record<string, unknown>;
}

const SAID = {
  'to ann': () => ['authentication', { authToken: token('ann') }],
  'to bob': () => ['authentication', { authToken: token('bob') }],
  'to the blocked one': () => ['authentication', { authToken: token('owner') }],
  'to nobody known': () => ['authentication', { authToken: 'no token' }],
  'to a guest': () => ['authentication', {}],
  subscribe: () => ['subscribe', { topics: ['notifications'] }],
  resume: () => ['subscribe', { topics: [{ topic: 'notifications', epoch: 'x', offset: 0 }] }],
  unsubscribe: () => ['unsubscribe', { topics: ['notifications'] }],
  enter: () => ['enter', { room: '__proto__' }],
  leave: () => ['leave', { room: '__proto__' }],
  history: () => ['history', { topic: 'notifications' }],
  'history of the room': () => ['history', { room: '__proto__' }],
  presence: () => ['presence', { user: 'owner' }],
  members: () => ['presence', { room: '__proto__' }],
  say: () => ['send', { to: { hub: 'main' }, payload: 'hello' }],
} as const satisfies Readonly<Record<string, () => readonly [string, object]>>;

type Said = keyof typeof SAID;

const said = fc.constantFrom(...(Object.keys(SAID) as Said[]));

interface Frame {
  readonly rid: number;
  readonly event: string;
  readonly status: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** A client that writes frames in pieces, with pings between. */
class Pieces {
  readonly frames: Frame[] = [];
  readonly #socket: WebSocket;
  #rid = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as Frame));
  }

  static async open(path: string, user: string): Promise<Pieces> {
    const url = `${cluster.nodes[0]!.wsUrl}${path}${user === '' ? '' : `?token=${token(user)}`}`;
    const socket = new WebSocket(url);
    const client = new Pieces(socket);
    await once(socket, 'open');
    await waitFor(() => client.frames.length > 0);
    return client;
  }

  get id(): string {
    return this.frames[0]!.payload['connection'] as string;
  }

  say(what: Said, piece: number): number {
    const rid = ++this.#rid;
    const [command, options] = SAID[what]();
    const text = JSON.stringify({ rid, command, options });
    for (let at = 0; at < text.length; at += piece) {
      this.#socket.send(text.slice(at, at + piece), { fin: at + piece >= text.length });
      // Control frames may come between the pieces of a message.
      if (at === 0) this.#socket.ping();
    }
    return rid;
  }

  answers(rid: number): Frame[] {
    return this.frames.filter((frame) => frame.rid === rid);
  }

  /** Ends as a network does, perhaps within a message. */
  async cut(isWithin: boolean): Promise<void> {
    if (isWithin) this.#socket.send('{"rid":1,"comm', { fin: false });
    this.#socket.terminate();
    await once(this.#socket, 'close');
  }
}

async function usersOf(client: Pieces): Promise<string[]> {
  const users = await Promise.all(
    ['ann', 'bob', 'owner'].map(async (user) => {
      const { connections } = await api('GET', `presence/${user}`);
      return (connections as { connection: string }[]).some(({ connection }) => connection === client.id) ? [user] : [];
    }),
  );
  return users.flat();
}

/** The user that the last good `authentication` named, or the handshake. */
function saysToBe(client: Pieces, rids: readonly number[]): string | null {
  const good = rids
    .flatMap((rid) => client.answers(rid))
    .filter(({ event, status }) => event === 'authentication' && status === 'ok');
  return ((good.at(-1) ?? client.frames[0]!).payload['user'] as string | null) ?? null;
}

describe('commands that are sent without waiting for answers, in pieces', () => {
  it('are answered once each, and leave each connection with one user in one place', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(['/web', ''], ['/web', 'ann'], ['/ws', 'bob'], ['/websocket/main', 'ann']),
        fc.array(said, { minLength: 1, maxLength: 15 }),
        fc.integer({ min: 7, max: 200 }),
        fc.boolean(),
        async ([path, user], sequence, piece, isWithin) => {
          const client = await Pieces.open(path!, user!);
          const rids = sequence.map((what) => client.say(what, piece));
          await waitFor(() => rids.every((rid) => client.answers(rid).length > 0));
          const [last] = [client.say('presence', 1000)];
          await waitFor(() => client.answers(last).length > 0);
          expect(rids.map((rid) => client.answers(rid).length)).toEqual(rids.map(() => 1));
          const text = JSON.stringify(client.frames);
          for (const never of ['"epoch":""', 'internal_error', 'secret of owner', '"from":"owner"'])
            expect(text).not.toContain(never);
          const is = saysToBe(client, rids);
          expect(await usersOf(client)).toEqual(is === null ? [] : [is]);
          await client.cut(isWithin);
          await waitFor(async () => (await usersOf(client)).length === 0);
        },
      ),
      { numRuns: 60, ...fuzzSeed },
    );
    const health = await fetch(`${cluster.nodes[0]!.httpUrl}/health`);
    expect(await health.json()).toEqual({ status: 'ok', client_count: 0 });
    expect(cluster.nodes[0]!.logs.filter(({ level }) => level === 'error')).toEqual([]);
  }, 120_000);
});

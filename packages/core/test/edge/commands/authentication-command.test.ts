import { afterEach, describe, expect, it } from '@jest/globals';
import { EventLog, LabelCounter, PresenceEvents, type OutgoingRecord } from '../../../src/index.js';
import { EdgeUnderTest, turn, type ClientUnderTest } from '../edge-under-test.js';

const silent = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silent,
};

/** One node and one open socket on the guests' endpoint; the token is the user's name. */
class Session {
  readonly written: OutgoingRecord[] = [];
  readonly #log = new EventLog(
    {
      writer: { write: async (_, records) => void this.written.push(...records), stop: async () => undefined },
      dropped: new LabelCounter(),
      logger: silent,
    },
    'ws-presence',
  );
  readonly node = new EdgeUnderTest({
    deps: { presence: new PresenceEvents(this.#log, 'n1') },
    options: { connectionsPerUser: 2 },
  });
  client!: ClientUnderTest;

  static async open(user: string, path = '/web'): Promise<Session> {
    const session = new Session();
    await session.node.start();
    session.client = await session.node.connect(path, user);
    return session;
  }

  authenticate(user: string, update?: true): number {
    return this.client.send('authentication', {
      ...(user === '' ? {} : { authToken: user }),
      ...(update && { update }),
    });
  }

  async answer(rid: number): Promise<unknown> {
    const { status, payload } = await this.client.answer(rid);
    return { status, payload };
  }

  async events(): Promise<Record<string, string>[]> {
    await this.#log.stop();
    return this.written.map(({ value }) => JSON.parse(value!.toString()) as Record<string, string>);
  }
}

let session: Session;
afterEach(() => session.node.stop());

const brief = (events: readonly Record<string, string>[]) =>
  events.map(({ user_id, event, reason }) => `${user_id} ${event} ${reason}`.trim());

describe('presence of a connection that changes its user', () => {
  it('ends for the former user and begins for the new one; a guest has none', async () => {
    session = await Session.open('ann');
    await session.answer(session.authenticate('bob'));
    await session.answer(session.authenticate(''));
    await session.answer(session.authenticate('ann'));
    await session.answer(session.authenticate('ann'));
    session.node.edge.closed(session.client.connection, 1000, 'bye');
    expect(brief(await session.events())).toEqual([
      'ann connected',
      'ann disconnected authentication',
      'bob connected',
      'bob disconnected authentication',
      'ann connected',
      'ann disconnected bye',
    ]);
    expect(await session.node.rows('ann', 'bob')).toEqual([0, 0]);
  });

  it('tells by `since` which of a user’s times with one connection is meant', async () => {
    session = await Session.open('ann');
    await session.answer(session.authenticate('bob'));
    await session.answer(session.authenticate('ann'));
    const [row] = await session.node.engine.presence('ann');
    const times = (await session.events()).filter(({ user_id }) => user_id === 'ann').map(({ since }) => since!);
    expect(times[1]).toBe(times[0]);
    expect(times[2]! > times[0]!).toBe(true);
    // What a reaper would say of it.
    expect(new Date(row!.sinceMs).toISOString()).toBe(times[2]);
  });

  it('stays with the former user when the new one is blocked', async () => {
    session = await Session.open('ann');
    const [before] = await session.node.engine.presence('ann');
    await session.node.engine.block('bob', { reason: '', expiresAtMs: null });
    expect(await session.answer(session.authenticate('bob'))).toMatchObject({ status: 'forbidden' });
    expect(await session.node.engine.presence('ann')).toEqual([before]);
    expect(brief(await session.events())).toEqual(['ann connected']);
  });
});

describe('a connection that stays what it was', () => {
  it('when an update brings no token', async () => {
    session = await Session.open('ann');
    const answer = await session.answer(session.authenticate('', true));
    expect(answer).toMatchObject({ status: 'forbidden', payload: { code: 'user_mismatch' } });
    expect(await session.node.rows('ann')).toEqual([1]);
  });

  // Anything but `true` was taken for no update: the connection became the other user's and lost its subscriptions.
  it.each(['true', 1, {}, []])('when update is neither true nor false: %j', async (update) => {
    session = await Session.open('ann');
    const rid = session.client.send('authentication', { authToken: 'bob', update });
    expect(await session.answer(rid)).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
    expect(await session.node.rows('ann', 'bob')).toEqual([1, 0]);
  });

  it('when the other user has as many connections as are allowed', async () => {
    session = await Session.open('bob');
    await session.node.connect('/web', 'bob');
    session.client = await session.node.connect('/web', 'cleo');
    const answer = await session.answer(session.authenticate('bob'));
    expect(answer).toMatchObject({ status: 'forbidden', payload: { code: 'too_many_connections' } });
    expect(await session.node.rows('cleo', 'bob')).toEqual([1, 2]);
  });
});

describe('a connection that ends while its user changes', () => {
  // It was entered into the table of users again, and into the engine for good: a ghost until the node's end.
  it.each([
    ['the token of another user is verified', 'bob', () => session.node.tokens],
    ['a new token of the same user is verified', 'ann', () => session.node.tokens],
    ['the engine admits another user', 'bob', () => session.node.engine.admissions],
    ['the engine refuses another user', 'blocked', () => session.node.engine.admissions],
  ])('while %s: leaves no row, and is told as the former user’s', async (_, user, gate) => {
    session = await Session.open('ann');
    await session.node.engine.block('blocked', { reason: '', expiresAtMs: null });
    gate().close();
    session.authenticate(user);
    session.authenticate('cleo');
    await turn();
    session.node.edge.closed(session.client.connection, 1006, '');
    gate().open();
    for (let at = 0; at < 5; at++) await turn();
    expect(await session.node.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 0]);
    expect([session.node.edge.connectionCount, session.node.edge.userCount]).toEqual([0, 0]);
    expect(brief(await session.events())).toEqual(['ann connected', 'ann disconnected 1006']);
  });
});

describe('changes of user that are asked for at once', () => {
  // The refused one gave the connection back to the user before it, whose row and place in the table then stayed.
  it('happen one behind the other', async () => {
    session = await Session.open('ann');
    await session.node.engine.block('bob', { reason: '', expiresAtMs: null });
    session.node.engine.admissions.close();
    const [first, second] = ['bob', 'cleo'].map((user) => session.authenticate(user));
    await turn();
    session.node.engine.admissions.open();
    expect(await session.answer(first!)).toMatchObject({ status: 'forbidden' });
    expect(await session.answer(second!)).toMatchObject({ status: 'ok' });
    expect(await session.node.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 1]);
    session.node.edge.closed(session.client.connection, 1000, '');
    expect([session.node.edge.connectionCount, session.node.edge.userCount]).toEqual([0, 0]);
    expect(await session.node.rows('ann', 'bob', 'cleo')).toEqual([0, 0, 0]);
  });
});

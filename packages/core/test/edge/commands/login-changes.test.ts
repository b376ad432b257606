import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeCodes, EngineError, type BackendCommands, type BackendRequest } from '../../../src/index.js';
import { EdgeUnderTest, turns, type ClientUnderTest } from '../edge-under-test.js';

let node: EdgeUnderTest;
let client: ClientUnderTest;

beforeEach(async () => {
  node = await new EdgeUnderTest().start();
  await node.publish('notifications', 'owner', 'in the history');
});
afterEach(() => node.stop());

const ENDPOINTS = [
  ['/web', ''],
  ['/mobile', ''],
  ['/ws', 'thief'],
  ['/websocket/main', 'thief'],
] as const;

/** What makes the engine, or this node, refuse the owner's token. */
const REFUSALS: Readonly<Record<string, () => Promise<void> | void>> = {
  blocked: () => node.engine.block('owner', { reason: 'fraud', expiresAtMs: null }),
  revoked: () => node.engine.revoke({ tokenId: 'stolen' }, Date.now() + 60_000),
  'engine away': () => {
    node.engine.admit = () => Promise.reject(new EngineError('unavailable', 'gone'));
  },
  'engine away behind its yes': () => {
    const admit = node.engine.admit.bind(node.engine);
    node.engine.admit = async (request) => {
      await admit(request);
      throw new EngineError('unavailable', 'the answer was lost');
    };
  },
  'no token of ours': () => undefined,
  'another user with update': () => undefined,
};

const EVERYTHING = [
  ['history', { topic: 'notifications' }],
  ['subscribe', { topics: [{ topic: 'notifications', epoch: 'x', offset: 0 }] }],
  ['enter', { room: 'owners' }],
  ['send', { to: { user: 'listener' }, payload: 'hello' }],
  ['send', { to: { hub: 'main' }, payload: 'hello' }],
  ['presence', { user: 'owner' }],
] as const;

describe('a refused authentication', () => {
  // The connection was the new user's until the engine had refused it: what came with the command acted for that user,
  // and what it had subscribed to stayed.
  it.each(Object.keys(REFUSALS).flatMap((why) => ENDPOINTS.map(([path, user]) => [why, path, user] as const)))(
    'for %s on %s leaves no trace, whatever is sent before, with and behind it',
    async (why, path, user) => {
      const listener = await node.connect('/websocket/main', 'listener');
      client = await node.connect(path, user);
      await REFUSALS[why]!();
      const authToken = why === 'no token of ours' ? 'bad' : 'owner {"jti":"stolen"}';
      const update = why === 'another user with update';
      const before = EVERYTHING.map(([command, options]) => client.send(command, options));
      const authentication = client.send('authentication', { authToken, update });
      const behind = EVERYTHING.map(([command, options]) => client.send(command, options));
      expect((await client.answer(authentication)).status).not.toBe('ok');
      for (const rid of [...before, ...behind]) {
        const { event, status, payload } = await client.answer(rid);
        if (event === 'history' && status === 'ok') expect(payload['messages']).toEqual([]);
      }
      await node.engine.block('owner', null);
      Reflect.deleteProperty(node.engine, 'admit');
      const owner = await node.connect('/ws', 'owner', 'topics=notifications');
      await node.publish('notifications', 'owner', 'live');
      expect(owner.updates).toEqual(['live']);
      expect(JSON.stringify(client.frames)).not.toMatch(/in the history|live|notifications\/u\/owner/);
      expect(JSON.stringify(listener.frames)).not.toContain('"from":"owner"');
      expect(await node.rows('owner')).toEqual([1]);
      const presence = await client.ask('presence', { user: user || 'nobody' });
      expect(presence.status).toBe(user === '' ? 'forbidden' : 'ok');
    },
  );

  it('for want of a place under the session limit changes nothing', async () => {
    await node.stop();
    node = await new EdgeUnderTest({ options: { sessions: { max: 1, policy: 'reject' } } }).start();
    await node.connect('/ws', 'owner');
    client = await node.connect('/web');
    const [refused, history] = [
      client.send('authentication', { authToken: 'owner' }),
      client.send('history', { topic: 'notifications' }),
    ];
    expect((await client.answer(refused)).payload).toMatchObject({ code: 'too_many_connections' });
    expect((await client.answer(history)).status).toBe('forbidden');
    expect(await node.rows('owner')).toEqual([1]);
  });
});

describe('what is sent together with an authentication', () => {
  // The subscription was made for the former user and dropped with the change, though it was answered ok.
  it('is done for the new user, in the order sent, when it comes behind', async () => {
    client = await node.connect('/ws', 'ann');
    const changes = ['bob', 'cleo'].map((authToken) => client.send('authentication', { authToken }));
    const subscribed = client.send('subscribe', { topics: ['notifications'] });
    expect(JSON.stringify((await client.answer(subscribed)).payload)).toContain('notifications/u/cleo');
    expect(client.frames.map(({ rid }) => rid).filter((rid) => rid > 0)).toEqual([...changes, subscribed]);
    for (const user of ['ann', 'bob', 'cleo']) await node.publish('notifications', user, `for ${user}`);
    expect(client.updates).toEqual(['for cleo']);
  });

  it('is refused when it comes before and subscribes for the former user behind the change', async () => {
    client = await node.connect('/ws', 'ann');
    node.engine.reads.close();
    const subscribed = client.send('subscribe', { topics: ['notifications'] });
    await client.ask('authentication', { authToken: 'bob' });
    node.engine.reads.open();
    expect((await client.answer(subscribed)).payload).toMatchObject({ code: 'user_mismatch' });
    await node.publish('notifications', 'ann', 'for ann');
    expect(client.updates).toEqual([]);
  });

  // The user was the same again, and what it had been subscribed to was gone.
  it('is refused, too, when the change is taken back before it is done', async () => {
    client = await node.connect('/ws', 'ann');
    node.engine.reads.close();
    const subscribed = client.send('subscribe', { topics: ['notifications'] });
    for (const authToken of ['bob', 'ann']) await client.ask('authentication', { authToken });
    node.engine.reads.open();
    expect((await client.answer(subscribed)).payload).toMatchObject({ code: 'user_mismatch' });
  });

  it('may be as much as 256 kB; what is more is answered rate_limited and the rest is done', async () => {
    client = await node.connect('/ws', 'ann');
    node.engine.admissions.close();
    client.send('authentication', { authToken: 'bob' });
    const rids = Array.from({ length: 6 }, () => client.send('ping', { filler: 'x'.repeat(60_000) }));
    node.engine.admissions.open();
    const answers = await Promise.all(rids.map((rid) => client.answer(rid)));
    expect(answers.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok', 'error', 'error']);
  });

  it('may not use the number of a request that still waits', async () => {
    client = await node.connect('/ws', 'ann');
    node.engine.admissions.close();
    client.send('authentication', { authToken: 'bob' });
    client.write('{"rid":7,"command":"ping"}');
    client.write('{"rid":7,"command":"ping"}');
    expect((await client.answer(7)).payload).toMatchObject({ code: 'duplicate_rid' });
    node.engine.admissions.open();
    await turns();
    expect(client.frames.filter(({ rid }) => rid === 7).map(({ status }) => status)).toEqual(['error', 'ok']);
  });
});

describe('a block or a revocation of the new user', () => {
  // The node looked for connections of the user, found none yet, and the connection went on as that user's.
  it.each([
    ['block', closeCodes.user_blocked, () => node.engine.block('bob', { reason: 'fraud', expiresAtMs: null })],
    ['revocation', closeCodes.revoked, () => node.edge.command({ command: 'revoke', revocation: { tokenId: 't1' } })],
  ] as const)(
    'that comes between the yes of the engine and the change closes the connection: %s',
    async (_, code, act) => {
      client = await node.connect('/ws', 'ann');
      node.engine.admissions.close();
      client.send('authentication', { authToken: 'bob {"jti":"t1"}' });
      await turns();
      await act();
      await turns();
      node.engine.admissions.open();
      await turns();
      expect(client.ended?.code).toBe(code);
      expect(await node.rows('ann', 'bob')).toEqual([0, 0]);
    },
  );
});

describe('a renewal', () => {
  it('leaves the topics and rooms that the new token no longer allows, and nothing else', async () => {
    client = await node.connect('/ws', 'ann', 'topics=notifications,news');
    for (const room of ['red', 'blue']) await client.ask('enter', { room });
    const authToken = 'ann {"topics":["news"],"rooms":["blue"]}';
    expect((await client.ask('authentication', { authToken, update: true })).status).toBe('ok');
    await node.publish('notifications', 'ann', 'forbidden');
    await node.publish('news', 'ann', 'allowed');
    const listener = await node.connect('/ws', 'bob');
    for (const room of ['red', 'blue']) await listener.ask('send', { to: { room }, payload: `to ${room}` });
    await turns();
    expect(client.updates).toEqual(['allowed', 'to blue']);
    expect((await client.ask('subscribe', { topics: ['notifications'] })).payload).toMatchObject({
      code: 'topic_forbidden',
    });
  });

  // Back ends got the bare token, and answered 401 to all commands of a long session.
  it.each([
    ['the handshake had it with its scheme', 'ann', ['Bearer ann', 'Bearer ann {}']],
    ['a guest gave it bare', '', ['ann', 'ann {}']],
  ])('keeps the form of Authorization towards back ends when %s', async (_, token, expected) => {
    await node.stop();
    const asked: string[] = [];
    const execute = async (_name: string, { authorization }: BackendRequest) => {
      asked.push(authorization);
      return { status: 'ok', payload: {} } as const;
    };
    const has = (name: string) => name === 'count';
    const backends = { has, execute, subscriptionOf: () => null } as unknown as BackendCommands;
    node = await new EdgeUnderTest({ deps: { backends } }).start();
    client = await node.connect('/web', token);
    if (token === '') await client.ask('authentication', { authToken: 'ann' });
    await client.ask('count');
    await client.ask('authentication', { authToken: 'ann {}', update: true });
    await client.ask('count');
    expect(asked).toEqual(expected);
  });
});

describe('a change of user on a hub', () => {
  // The hub's own streams were left with everything else and joined by nobody again.
  it('stays in the hub, misses nothing that is said there, and is reached as the new user only', async () => {
    client = await node.connect('/websocket/main', 'ann');
    const other = await node.connect('/websocket/main', 'other');
    const say = (to: object, payload: string) => other.ask('send', { to, payload });
    node.engine.admissions.close();
    const changed = client.send('authentication', { authToken: 'bob' });
    await say({ hub: 'main' }, 'meanwhile');
    node.engine.admissions.open();
    expect((await client.answer(changed)).status).toBe('ok');
    await say({ hub: 'main' }, 'to all');
    await say({ user: 'ann' }, 'to ann');
    await say({ user: 'bob' }, 'to bob');
    await turns();
    expect(client.updates).toEqual(['meanwhile', 'to all', 'to bob']);
  });
});

describe('a loss of the engine', () => {
  const loss = { reason: 'test', concerns: (place: string) => place === 'bob', missed: () => false };

  // The row that had just been written was gone, and the repair looked at the user whose connection it still was: the new
  // user was on no node, and nothing reached the socket any more.
  it('while a connection becomes another user has that user registered again', async () => {
    client = await node.connect('/ws', 'ann');
    const admitted: (string | null)[] = [];
    const admit = node.engine.admit.bind(node.engine);
    node.engine.admit = (request) => {
      admitted.push(request.user);
      return admit(request);
    };
    node.engine.admissions.close();
    const rid = client.send('authentication', { authToken: 'bob' });
    await turns();
    const [id] = (await node.engine.presence('bob')).map(({ connection }) => connection);
    await node.engine.release([{ connection: id!, user: 'bob' }]);
    const repaired = node.edge.rebuild(loss);
    node.engine.admissions.open();
    await repaired;
    expect((await client.answer(rid)).status).toBe('ok');
    expect(admitted).toEqual(['bob', 'bob']);
    expect(await node.rows('ann', 'bob')).toEqual([0, 1]);
  });

  it('that is repaired while a connection becomes another user leaves the row of that user alone', async () => {
    client = await node.connect('/ws', 'ann');
    node.engine.admissions.close();
    const repaired = node.edge.rebuild({ ...loss, concerns: () => true });
    await turns();
    const rid = client.send('authentication', { authToken: 'bob' });
    await turns();
    node.engine.admissions.open();
    await Promise.all([repaired, client.answer(rid)]);
    await turns();
    expect(await node.rows('ann', 'bob')).toEqual([0, 1]);
  });
});

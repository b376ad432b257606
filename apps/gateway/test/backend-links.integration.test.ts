import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { metric } from './faults/gateway-processes.js';
import { GatewayCluster, token } from './gateway-cluster.js';
import { LinkBackend } from './link-backend.js';

let cluster: GatewayCluster;
/**
 * Back ends: lobby refuses a second connection, game replaces the first one, shop closes its clients when it is away.
 */
let lobby: LinkBackend;
let game: LinkBackend;
let shop: LinkBackend;

beforeAll(async () => {
  [lobby, game, shop] = await Promise.all([LinkBackend.start(), LinkBackend.start(), LinkBackend.start()]);
  const config = {
    backends: {
      ws: [
        { name: 'lobby', url: lobby.url },
        { name: 'game', url: game.url, path: '/games/live', sessionPolicy: 'replace' },
        { name: 'shop', url: shop.url, closeOnBackendLoss: true },
      ],
    },
    limits: { maxPayloadBytes: '64kb', requestsPerSecond: 20, maxRecordBytes: '128kb' },
  };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'edge', config },
      { role: 'router', config },
    ],
  });
  await waitFor(() => [lobby, game, shop].every(({ links }) => links.length === 2), { what: 'a link from each edge' });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  await Promise.all([lobby, game, shop].map((backend) => backend?.stop()));
}, 60_000);

const url = (node: number, path: string) => `${cluster.nodes[node]!.wsUrl}${path}`;
const byHeader = (user: string) => ({ headers: { authorization: `Bearer ${token(user)}` } });

function open(node: number, path: string, user: string): Promise<WsClient> {
  return WsClient.open(url(node, path), byHeader(user));
}

/** Closes the client and waits for its end at the back end: the place is free when this resolves. */
async function leave(client: WsClient, backend: LinkBackend, user: string): Promise<void> {
  await client.close();
  await backend.next({ user, event: 'close' });
}

describe('an endpoint that is piped to a backend', () => {
  it('tells what its clients do, and carries what the backend sends, with nothing added', async () => {
    const client = await open(0, '/lobby', 'ann');
    const opened = await lobby.next({ user: 'ann' });
    expect(opened).toEqual({ user: 'ann', event: 'open', connection: expect.any(String) });
    client.send('{ "move": 12345678901234567890, "é":[1.0e2] }');
    client.send('[ 1 ]');
    for (const text of ['42', '"quoted"', '{broken', '', 'null', ' plain']) client.send(text);
    const messages = [];
    for (let n = 0; n < 8; n++) messages.push(await lobby.next({ user: 'ann', event: 'message' }));
    expect(lobby.texts.at(-8)).toBe(
      `{"user":"ann","event":"message","connection":"${String(opened['connection'])}","message":{ "move": 12345678901234567890, "é":[1.0e2] }}`,
    );
    expect(messages.slice(1).map(({ message }) => message)).toEqual([
      [1],
      '42',
      '"quoted"',
      '{broken',
      '',
      'null',
      ' plain',
    ]);
    lobby.send(
      'ann',
      'own link',
      '{"user":"ann","action":"send","message":{ "big":12345678901234567890, "a" : 1.0e+2 }}',
      { user: 'ann', action: 'send', message: 'text\tas it "is" ü\u0000' },
      { user: 'ann', action: 'send', message: '' },
      { user: 'ann', action: 'send', message: null },
      { user: 'ann', action: 'send', message: [1, 'x'] },
      { user: 'ann', action: 'send', message: 'last' },
    );
    await waitFor(() => client.texts.at(-1) === 'last');
    expect(client.texts).toEqual([
      '{ "big":12345678901234567890, "a" : 1.0e+2 }',
      'text\tas it "is" ü\u0000',
      '',
      'null',
      '[1,"x"]',
      'last',
    ]);
    await client.close(4321, 'bye');
    expect(await lobby.next({ user: 'ann', event: 'close' })).toEqual({
      user: 'ann',
      event: 'close',
      connection: opened['connection'],
      code: 4321,
      reason: 'bye',
    });
  });

  it('tells of an end without a close frame', async () => {
    const client = await open(0, '/lobby', 'bob');
    client.terminate();
    expect(await lobby.next({ user: 'bob', event: 'close' })).toMatchObject({ code: 1006 });
  });

  it('carries out actions over the link of another node, in order', async () => {
    const client = await open(1, '/lobby', 'cleo');
    await lobby.next({ user: 'cleo', event: 'open' });
    const count = 2000;
    for (let n = 0; n < count; n++) lobby.send('cleo', 'other link', { user: 'cleo', action: 'send', message: n });
    lobby.send('cleo', 'other link', { user: 'cleo', action: 'close', code: 4000, reason: 'überall '.repeat(30) });
    const { code, reason } = await client.closed;
    expect(client.frames).toEqual(Array.from({ length: count }, (_, n) => n));
    expect(code).toBe(4000);
    expect(reason).toMatch(/^(überall )+/);
    expect(Buffer.byteLength(reason)).toBeGreaterThan(119);
    expect(await lobby.next({ user: 'cleo', event: 'close' })).toMatchObject({ code: 4000, reason });
  });

  it('closes only its own connection of the user, and says so when there is none', async () => {
    const [other, client] = await Promise.all([cluster.connect(0, 'dan', ''), open(1, '/lobby', 'dan')]);
    await lobby.next({ user: 'dan', event: 'open' });
    for (const over of ['own link', 'other link'] as const) {
      game.links[0]!.send(JSON.stringify({ user: 'dan', action: 'send', message: over }));
      expect(await gameError()).toMatchObject({ user: 'dan', action: 'send', code: 'unknown_user' });
    }
    game.links[1]!.send(JSON.stringify({ user: 'dan', action: 'close', code: 1000, reason: '' }));
    expect(await gameError()).toMatchObject({ user: 'dan', action: 'close', code: 'unknown_user' });
    lobby.send('dan', 'other link', { user: 'dan', action: 'close', code: 1000, reason: 'done' });
    expect(await client.closed).toEqual({ code: 1000, reason: 'done' });
    expect(await other.request('ping')).toMatchObject({ status: 'ok' });
    await lobby.next({ user: 'dan', event: 'close' });
    lobby.send('dan', 'own link', { user: 'dan', action: 'send', message: 1 });
    expect(await lobby.next({ event: 'error' })).toMatchObject({ user: 'dan', code: 'unknown_user' });
    await other.close();
  });

  const gameError = () => game.next({ event: 'error' });

  it('answers bad actions, and the link lives on', async () => {
    const client = await open(0, '/lobby', 'eve');
    await lobby.next({ user: 'eve', event: 'open' });
    const rows: [unknown, Record<string, unknown>][] = [
      ['{broken', { user: null, action: null }],
      ['[1]', { user: null, action: null }],
      ['"text"', { user: null, action: null }],
      [
        { action: 'send', message: 1 },
        { user: null, action: 'send' },
      ],
      [
        { user: 7, action: 'send', message: 1 },
        { user: 7, action: 'send' },
      ],
      [{ user: 'eve' }, { user: 'eve', action: null }],
      [
        { user: 'eve', action: 'shout', message: 1 },
        { user: 'eve', action: 'shout' },
      ],
      [
        { user: 'eve', action: { deep: [1] } },
        { user: 'eve', action: { deep: [1] } },
      ],
      ['{"user":"eve","action":"__proto__","__proto__":{"action":"send"}}', { user: 'eve', action: '__proto__' }],
      [
        { user: 'eve', action: 'send' },
        { user: 'eve', action: 'send' },
      ],
      [
        { user: 'eve', action: 'close', code: 1001 },
        { user: 'eve', action: 'close' },
      ],
      [
        { user: 'eve', action: 'close', code: 5000 },
        { user: 'eve', action: 'close' },
      ],
      [
        { user: 'eve', action: 'close', code: 4000.5 },
        { user: 'eve', action: 'close' },
      ],
      [
        { user: 'eve', action: 'close', code: '4000' },
        { user: 'eve', action: 'close' },
      ],
      [
        { user: 'eve', action: 'close', code: 4000, reason: 5 },
        { user: 'eve', action: 'close' },
      ],
      [
        { user: 'eve', action: 'send', message: 'x'.repeat(130 * 1024) },
        { user: 'eve', action: 'send' },
      ],
    ];
    for (const [action, answer] of rows) {
      lobby.send('eve', 'own link', action);
      expect(await lobby.next({ event: 'error' })).toEqual({
        ...answer,
        event: 'error',
        code: 'bad_action',
        message: expect.any(String),
      });
    }
    expect(lobby.links).toHaveLength(2);
    lobby.send('eve', 'own link', { user: 'eve', action: 'send', message: 'still here' });
    await waitFor(() => client.texts.at(-1) === 'still here');
    await leave(client, lobby, 'eve');
  });

  it('is opened with a token from any of the sources, and only with one', async () => {
    const jwt = token('fay');
    const ways: [string, Parameters<typeof WsClient.open>[1]][] = [
      ['/lobby', byHeader('fay')],
      [`/lobby?token=${jwt}`, {}],
      ['/lobby', { protocols: ['bearer', jwt] }],
    ];
    for (const [path, options] of ways) {
      const client = await WsClient.open(url(0, path), options);
      await lobby.next({ user: 'fay', event: 'open' });
      await leave(client, lobby, 'fay');
    }
    const refused = async (path: string, options = {}) => {
      const { status, body } = await WsClient.refused(url(0, path), options);
      return [status, (body as { error: { code: string } }).error.code];
    };
    expect(await refused('/lobby')).toEqual([401, 'token_missing']);
    expect(await refused('/lobby?token=x')).toEqual([401, 'token_invalid']);
    expect(await refused('/lobby/', byHeader('fay'))).toEqual([404, 'unknown_endpoint']);
    expect(await refused('/lobby?topics=notifications', byHeader('fay'))).toEqual([400, 'bad_request']);
    expect((await fetch(`${cluster.nodes[0]!.httpUrl}/lobby`)).status).toBe(426);
  });

  it('has the limits of other endpoints: size, text, rate', async () => {
    const ends = async (user: string, act: (client: WsClient) => void) => {
      const client = await open(0, '/lobby', user);
      act(client);
      const { code } = await client.closed;
      expect(await lobby.next({ user, event: 'close' })).toMatchObject({ code });
      return code;
    };
    expect(await ends('gus', (client) => client.send(Buffer.from('binary')))).toBe(1003);
    expect(await ends('gus', (client) => client.send('x'.repeat(65 * 1024)))).toBe(1009);
    expect(
      await ends('gus', (client) => {
        for (let n = 0; n < 300; n++) client.send('x');
      }),
    ).toBe(4503);
  });

  it('carries neither broadcasts nor messages to all of a user, and closes when the user is blocked', async () => {
    const [plain, piped] = await Promise.all([cluster.connect(0, 'hal', 'notifications'), open(0, '/lobby', 'hal')]);
    await lobby.next({ user: 'hal', event: 'open' });
    await cluster.produce('notifications', {
      key: 'k',
      value: { payload: 'everyone' },
      headers: { 'ws-audience': 'all' },
    });
    expect(await plain.next('notifications')).toMatchObject({ payload: 'everyone' });
    await cluster.produce('user-blocks', {
      key: 'hal',
      value: { user_id: 'hal', payload: { blocked: true, reason: 'fraud' } },
    });
    expect(await piped.closed).toEqual({ code: 4500, reason: 'fraud' });
    expect(await lobby.next({ user: 'hal', event: 'close' })).toMatchObject({ code: 4500, reason: 'fraud' });
    expect(piped.texts).toEqual([]);
    const refused = await WsClient.refused(url(0, '/lobby'), byHeader('hal'));
    expect(refused).toMatchObject({ status: 403, body: { error: { code: 'user_blocked' } } });
  });
});

describe('one connection of a user in the whole cluster', () => {
  it('is all there may be: the second is refused on any node, until the first is gone', async () => {
    const first = await open(0, '/lobby', 'ida');
    const game1 = await open(1, '/games/live', 'ida');
    for (const node of [0, 1]) {
      expect(await WsClient.refused(url(node, '/lobby'), byHeader('ida'))).toMatchObject({
        status: 409,
        body: { error: { code: 'already_connected' } },
      });
      const told = await WsClient.open(url(node, '/lobby'), { ...byHeader('ida'), protocols: ['wsg.v1'] });
      expect(await told.closed).toEqual({ code: 4609, reason: 'already_connected' });
      expect(told.frames).toMatchObject([{ event: 'refused', payload: { code: 'already_connected', http: 409 } }]);
    }
    expect(first.isOpen).toBe(true);
    await first.close();
    const again = await waitFor(() => open(1, '/lobby', 'ida'), { what: 'the place to be free' });
    await again.close();
    await game1.close();
  });

  it('is given to the newest where the policy is to replace', async () => {
    for (const nodes of [
      [0, 1],
      [1, 1],
    ] as const) {
      const first = await open(nodes[0], '/games/live', 'jim');
      const one = await game.next({ user: 'jim', event: 'open' });
      const second = await open(nodes[1], '/games/live', 'jim');
      expect(await first.closed).toEqual({ code: 4501, reason: 'session_replaced' });
      const close = await game.next({ user: 'jim', event: 'close' });
      expect(close).toMatchObject({ connection: one['connection'], code: 4501, reason: 'session_replaced' });
      const two = await waitFor(
        () => {
          const last = game.events.findLast(({ user, event }) => user === 'jim' && event === 'open');
          return last !== one && last;
        },
        { what: 'the second one to be told of' },
      );
      // Only on one node is the end of the first connection told before the beginning of the second.
      if (nodes[0] === nodes[1]) expect(game.events.indexOf(two)).toBeGreaterThan(game.events.indexOf(close));
      for (const over of ['own link', 'other link'] as const) {
        game.send('jim', over, { user: 'jim', action: 'send', message: over });
        await waitFor(() => second.texts.at(-1) === over);
      }
      await leave(second, game, 'jim');
    }
  });
});

describe('a backend that goes and comes back', () => {
  it('is told who is there, then what was said meanwhile', async () => {
    const [kim, leo] = await Promise.all([open(0, '/lobby', 'kim'), open(1, '/lobby', 'leo')]);
    const before = await Promise.all([waitForOpen(lobby, 'kim'), waitForOpen(lobby, 'leo')]);
    await lobby.stop();
    await waitFor(async () => (await metric(cluster.nodes[0]!, 'backend_link_losses_total')) === 1);
    lobby.forget();
    kim.send('{"n":1}');
    kim.send('{"n":2}');
    const max = await open(0, '/lobby', 'max');
    max.send('early');
    await leo.close();
    await waitFor(async () => (await metric(cluster.nodes[0]!, 'backend_link_waiting_events')) === 5, {
      what: 'the events to wait',
    });
    await lobby.start();
    await waitFor(() => lobby.events.length === 7);
    const of = (user: string) => lobby.events.filter((event) => event['user'] === user);
    expect(of('kim')).toEqual([
      before[0],
      { ...before[0], event: 'message', message: { n: 1 } },
      { ...before[0], event: 'message', message: { n: 2 } },
    ]);
    expect(of('max').map(({ event, message }) => message ?? event)).toEqual(['open', 'early']);
    expect(of('leo')).toEqual([before[1], { ...before[1], event: 'close', code: 1000, reason: '' }]);
    lobby.send('kim', 'own link', { user: 'kim', action: 'send', message: 'welcome back' });
    await waitFor(() => kim.texts.at(-1) === 'welcome back');
    expect(await metric(cluster.nodes[0]!, 'backend_link_waiting_events')).toBe(0);
    expect(await metric(cluster.nodes[0]!, 'backend_link_up')).toBe(3);
    await kim.close();
    await max.close();
  });

  it('closes its clients and lets nobody in meanwhile where it is configured so', async () => {
    const clients = await Promise.all([open(0, '/shop', 'ned'), open(1, '/shop', 'oda')]);
    await Promise.all([waitForOpen(shop, 'ned'), waitForOpen(shop, 'oda')]);
    await shop.stop();
    for (const client of clients) expect(await client.closed).toEqual({ code: 1012, reason: 'backend_lost' });
    expect(await WsClient.refused(url(0, '/shop'), byHeader('ned'))).toMatchObject({
      status: 503,
      headers: { 'retry-after': expect.any(String) },
      body: { error: { code: 'unavailable' } },
    });
    shop.forget();
    await shop.start();
    const back = await waitFor(() => open(0, '/shop', 'ned'), { what: 'the backend to be back' });
    await waitForOpen(shop, 'ned');
    expect(shop.events.map(({ user, event }) => [user, event])).toEqual([['ned', 'open']]);
    await back.close();
  });

  function waitForOpen(backend: LinkBackend, name: string) {
    return waitFor(() => backend.events.findLast(({ user, event }) => user === name && event === 'open'));
  }
});

describe('a node that goes', () => {
  it('sends the clients of a pipe away without a frame of its own, and tells the backend before it ends', async () => {
    const extra = await GatewayCluster.open({
      nodes: [{ role: 'edge', config: { backends: { ws: [{ name: 'lobby', url: lobby.url }] } } }],
    });
    try {
      const client = await WsClient.open(`${extra.nodes[0]!.wsUrl}/lobby`, byHeader('pat'));
      await lobby.next({ user: 'pat', event: 'open' });
      expect(lobby.links).toHaveLength(3);
      const exit = extra.nodes[0]!.stop();
      expect(await client.closed).toEqual({ code: 4000, reason: 'drain' });
      expect(client.texts).toEqual([]);
      expect(await lobby.next({ user: 'pat', event: 'close' })).toMatchObject({ code: 4000, reason: 'drain' });
      expect(await exit).toEqual({ code: 0, signal: null });
    } finally {
      await extra.close();
    }
    expect(lobby.links).toHaveLength(2);
  });
});

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { load } from 'js-yaml';
import { LinkBackend } from '../link-backend.js';
import { exampleFile, NO_KAFKA, oneCluster, startExample, stopAll, token } from './example.js';

/** Endpoints that are pipes to WebSocket backends: one endpoint for each backend, one link for all its clients, events one way and actions the other. */
let nodes: GatewayProcess[] = [];
let lobby: LinkBackend;
let game: LinkBackend;
let links: string;

beforeAll(async () => {
  [lobby, game] = await Promise.all([LinkBackend.start(), LinkBackend.start()]);
  const { backends } = load(readFileSync(exampleFile('backends'), 'utf8')) as { backends: { ws: { name: string }[] } };
  const urls: Record<string, string> = { lobby: lobby.url, game: game.url };
  links = JSON.stringify(backends.ws.map((link) => ({ ...link, url: urls[link.name] })));
  const cluster = oneCluster();
  const start = (): Promise<GatewayProcess> =>
    startExample('backends', { ...cluster, ...NO_KAFKA, WSGATEWAY_BACKENDS_WS: links });
  nodes = await Promise.all([start(), start()]);
  await waitFor(() => lobby.links.length === 2 && game.links.length === 2, { what: 'a link from each node' });
}, 90_000);
afterAll(async () => {
  await stopAll(...nodes);
  await Promise.all([lobby?.stop(), game?.stop()]);
}, 60_000);

const urlOf = (at: number, path: string): string => `${nodes[at]!.wsUrl}/${path}`;
const bearer = (jwt: string) => ({ headers: { authorization: `Bearer ${jwt}` } });

describe('the backends example', () => {
  it('has one link to each backend from its start on, however many clients there are', async () => {
    const clients = await Promise.all(
      ['a', 'b', 'c'].map((user) => WsClient.open(urlOf(0, 'lobby'), bearer(token(user)))),
    );
    // They come at once: whose handshake is done first is nobody's promise.
    const opened = new Set<unknown>();
    for (const _ of clients) opened.add((await lobby.next({ event: 'open' })).user);
    expect(opened).toEqual(new Set(['a', 'b', 'c']));
    expect([lobby.links.length, game.links.length]).toEqual([2, 2]);
    expect(game.events).toEqual([]);
    await Promise.all(clients.map((client) => client.close()));
    for (const _ of clients) await lobby.next({ event: 'close' });
  });

  it('tells the backend of opens, messages and closes, each with the user', async () => {
    lobby.forget();
    const alice = await WsClient.open(urlOf(1, 'lobby'), bearer(token('alice')));
    const opened = await lobby.next({ event: 'open' });
    expect(opened).toEqual({ user: 'alice', event: 'open', connection: expect.any(String) });
    alice.send('{"chat": "hello", "n": 1.0}');
    expect(await lobby.next({ event: 'message' })).toMatchObject({ user: 'alice', message: { chat: 'hello', n: 1 } });
    alice.send('plain text');
    expect(await lobby.next({ event: 'message' })).toMatchObject({ user: 'alice', message: 'plain text' });
    await alice.close(1000, 'done');
    expect(await lobby.next({ event: 'close' })).toMatchObject({ user: 'alice', code: 1000, reason: 'done' });
    expect(lobby.events.every(({ user }) => user === 'alice')).toBe(true);
    // A pipe adds nothing of its own.
    expect(alice.frames).toEqual([]);
  });

  it('does what the backend says: send a message back, close with code and reason', async () => {
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map((user) => WsClient.open(urlOf(0, 'game'), bearer(token(user)))),
    );
    await game.next({ event: 'open' });
    await game.next({ event: 'open' });
    game.send('alice', 'own link', { user: 'alice', action: 'send', message: { move: 'e2e4' } });
    expect(await alice!.next()).toEqual({ move: 'e2e4' });
    game.send('alice', 'other link', { user: 'alice', action: 'send', message: 'your turn' });
    expect(await alice!.next()).toBe('your turn');
    game.send('alice', 'own link', { action: 'send', message: 'for whom?' });
    expect(await game.next({ event: 'error' })).toMatchObject({ action: 'send', code: 'bad_action' });
    game.send('alice', 'own link', { user: 'alice', action: 'close', code: 4001, reason: 'game over' });
    expect(await alice!.closed).toEqual({ code: 4001, reason: 'game over' });
    expect(await game.next({ event: 'close' })).toMatchObject({ user: 'alice' });
    game.send('bob', 'own link', { user: 'bob', action: 'close' });
    expect(await bob!.closed).toMatchObject({ code: 1000 });
    expect(bob!.frames).toEqual([]);
    await game.next({ event: 'close', user: 'bob' });
  });

  it('lets a user in once for each functionality, on whichever node, and tells users apart by it', async () => {
    const inLobby = await WsClient.open(urlOf(0, 'lobby'), bearer(token('alice')));
    const inGame = await WsClient.open(urlOf(1, 'game'), bearer(token('alice')));
    for (const at of [0, 1]) {
      expect(await WsClient.refused(urlOf(at, 'lobby'), bearer(token('alice')))).toMatchObject({
        status: 409,
        body: { error: { code: 'already_connected' } },
      });
    }
    await lobby.next({ event: 'open', user: 'alice' });
    await game.next({ event: 'open', user: 'alice' });
    lobby.send('alice', 'own link', { user: 'alice', action: 'send', message: 'lobby' });
    game.send('alice', 'own link', { user: 'alice', action: 'send', message: 'game' });
    expect(await inLobby.next()).toBe('lobby');
    expect(await inGame.next()).toBe('game');
    await inLobby.close();
    const again = await waitFor(() => WsClient.open(urlOf(1, 'lobby'), bearer(token('alice'))));
    await again.close();
    await inGame.close();
  });

  it('fails the handshake with 401 without a valid token', async () => {
    const refused = async (options: object) => (await WsClient.refused(urlOf(0, 'lobby'), options)).status;
    expect(await refused({})).toBe(401);
    expect(await refused(bearer('no.valid.token'))).toBe(401);
    expect(await refused(bearer(token('alice', { exp: 1 })))).toBe(401);
    expect((await WsClient.refused(urlOf(0, 'chat'), bearer(token('alice')))).status).toBe(404);
  });
});

describe('the backends example on one node', () => {
  it('needs no server but its backends, and takes the user from the claim that it is told', async () => {
    const node = await startExample('backends', {
      ...NO_KAFKA,
      REDIS_URL: 'redis://127.0.0.1:1',
      WSGATEWAY_BACKENDS_WS: links,
      WSGATEWAY_AUTH_USER_CLAIM: 'username',
    });
    try {
      const claims = { username: 'carol' };
      const client = await WsClient.open(`${node.wsUrl}/lobby`, bearer(token('id-17', claims)));
      expect(await lobby.next({ event: 'open', user: 'carol' })).toMatchObject({ event: 'open' });
      lobby.send('carol', 'own link', { user: 'carol', action: 'send', message: { hello: 'carol' } });
      expect(await client.next()).toEqual({ hello: 'carol' });
      await client.close();
    } finally {
      await node.stop();
    }
  }, 60_000);
});

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it } from '@jest/globals';
import { startRedis, TcpProxy, testRedisUrl, waitFor, WsClient, WsRefusedError } from '@ws-gateway/testkit';
import { GatewayCluster, token } from '../gateway-cluster.js';
import { LinkBackend } from '../link-backend.js';

/** A place held by a killed node is free again within 30 s (docs/backend-links.md). */
const PLACE_FREE_MS = 30_000;
const TIMEOUT_MS = 90_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setup(nodes: readonly Readonly<Record<string, object>>[], entry: object = {}) {
  const backend = await LinkBackend.start();
  cleanups.push(() => backend.stop());
  const backends = { ws: [{ name: 'lobby', url: backend.url, ...entry }] };
  const cluster = await GatewayCluster.open({
    nodes: nodes.map((config) => ({ role: 'edge', config: { ...config, backends } })),
  });
  cleanups.push(() => cluster.close());
  await waitFor(() => backend.links.length === nodes.length, { what: 'the links' });
  return { backend, cluster };
}

const open = (cluster: GatewayCluster, node: number, user: string) =>
  WsClient.open(`${cluster.nodes[node]!.wsUrl}/lobby`, { headers: { authorization: `Bearer ${token(user)}` } });

/** Empties Redis, as after a loss of its data. */
async function flush(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.write('FLUSHALL\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  expect(answer.toString()).toBe('+OK\r\n');
}

// Fails when a dead node's rows are not taken away, or when its backend cannot tell that its users are gone.
it(
  'a killed node: the backend loses that link and no other, and the place is free for the user within 30 s',
  async () => {
    const { backend, cluster } = await setup([{}, {}]);
    const [ann, bob] = await Promise.all([open(cluster, 0, 'ann'), open(cluster, 1, 'bob')]);
    await waitFor(() => backend.events.length === 2);
    const killedMs = performance.now();
    await cluster.nodes[0]!.kill();
    expect((await ann.closed).code).toBe(1006);
    await waitFor(() => backend.links.length === 1, { what: 'the link to end' });
    const again = await waitFor(() => open(cluster, 1, 'ann'), {
      timeoutMs: PLACE_FREE_MS,
      what: 'the place to be free',
    });
    expect(performance.now() - killedMs).toBeLessThan(PLACE_FREE_MS);
    // No `close` event can come for the first connection: the end of the link tells it.
    await waitFor(() => backend.events.length === 3);
    expect(backend.events.every(({ event }) => event === 'open')).toBe(true);
    expect(backend.events.at(-1)).toMatchObject({ user: 'ann' });
    backend.send('ann', 'own link', { user: 'ann', action: 'send', message: 'hello' });
    backend.send('bob', 'own link', { user: 'bob', action: 'send', message: 'hello' });
    await waitFor(() => again.texts.length === 1 && bob.texts.length === 1);
  },
  TIMEOUT_MS,
);

// Fails when an action whose outcome is not known is dropped in silence, done twice, or ends the link.
it(
  'Redis away: the backend is told that an action may not have been carried out, events go on, and it works again after',
  async () => {
    const proxy = await TcpProxy.start({ port: Number(new URL(testRedisUrl()).port) });
    cleanups.push(() => proxy.stop());
    const redis = { addr: `127.0.0.1:${proxy.port}` };
    // Under this policy the place of a local user may have been taken on another node, so Redis is always asked.
    const { backend, cluster } = await setup([{ redis }], { sessionPolicy: 'replace' });
    const client = await open(cluster, 0, 'ann');
    await waitFor(() => backend.events.length === 1);
    proxy.cut();
    client.send('still heard');
    expect(await backend.next({ event: 'message' })).toMatchObject({ message: 'still heard' });
    backend.send('ann', 'own link', { user: 'ann', action: 'send', message: 1 });
    expect(await backend.next({ event: 'error' })).toMatchObject({ user: 'ann', action: 'send', code: 'unavailable' });
    backend.send('ann', 'own link', { user: 'ann', action: 'close', code: 1000, reason: '' });
    expect(await backend.next({ event: 'error' })).toMatchObject({ user: 'ann', action: 'close', code: 'unavailable' });
    proxy.restore();
    await waitFor(
      () => {
        backend.send('ann', 'own link', { user: 'ann', action: 'send', message: 2 });
        return client.texts.includes('2');
      },
      { what: 'an action to be carried out' },
    );
    expect(client.texts).not.toContain('1');
    expect(client.isOpen).toBe(true);
  },
  TIMEOUT_MS,
);

// Fails when what happens on one node alone depends on more than that.
it(
  'Redis away: where no place can be taken, a user and the backend that are on one node go on as if nothing had happened',
  async () => {
    const proxy = await TcpProxy.start({ port: Number(new URL(testRedisUrl()).port) });
    cleanups.push(() => proxy.stop());
    const { backend, cluster } = await setup([{ redis: { addr: `127.0.0.1:${proxy.port}` } }]);
    const client = await open(cluster, 0, 'ann');
    await waitFor(() => backend.events.length === 1);
    proxy.cut();
    await waitFor(async () => (await fetch(`${cluster.nodes[0]!.httpUrl}/ready`)).status === 503);
    client.send('question');
    await backend.next({ event: 'message' });
    backend.send('ann', 'own link', { user: 'ann', action: 'send', message: 'answer' });
    backend.send('ann', 'own link', { user: 'ann', action: 'close', code: 3000, reason: 'over' });
    expect(await client.closed).toEqual({ code: 3000, reason: 'over' });
    expect(client.texts).toEqual(['answer']);
    proxy.restore();
    const again = await waitFor(() => open(cluster, 0, 'ann'), { what: 'the place to be free' });
    await again.close();
  },
  TIMEOUT_MS,
);

// Fails when check and registration are two steps.
it(
  'handshakes of one user at once on two nodes: one gets in, the others are refused, and the backend hears of one',
  async () => {
    const { backend, cluster } = await setup([{}, {}]);
    for (const user of ['ann', 'bob', 'cleo']) {
      backend.forget();
      const tries = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => open(cluster, n % 2, user)));
      const inside = tries.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(inside).toHaveLength(1);
      const codes = tries.flatMap((one) =>
        one.status === 'rejected' && one.reason instanceof WsRefusedError ? [one.reason.refused.status] : [],
      );
      expect(codes).toEqual(Array.from({ length: 39 }, () => 409));
      inside[0]!.send('barrier');
      await backend.next({ user, event: 'message' });
      expect(backend.events.map(({ event }) => event)).toEqual(['open', 'message']);
    }
  },
  TIMEOUT_MS,
);

// Fails when rows are written again whoever has the place: both connections stayed, and the backend had two of one user.
it(
  'Redis back empty: of two connections that got into one place the newer one stays',
  async () => {
    const redis = await startRedis();
    cleanups.push(() => redis.stop());
    const proxy = await TcpProxy.start({ port: redis.port });
    cleanups.push(() => proxy.stop());
    const away = { redis: { addr: `127.0.0.1:${proxy.port}` } };
    const near = { redis: { addr: `127.0.0.1:${redis.port}` } };
    const { backend, cluster } = await setup([away, near]);
    const first = await open(cluster, 0, 'ann');
    await backend.next({ user: 'ann', event: 'open' });
    proxy.cut();
    await flush(redis.port);
    const second = await waitFor(() => open(cluster, 1, 'ann'), { what: 'the place to be free' });
    expect(first.isOpen).toBe(true);
    proxy.restore();
    expect(await first.closed).toEqual({ code: 4501, reason: 'session_replaced' });
    expect(await backend.next({ user: 'ann', event: 'close' })).toMatchObject({ code: 4501 });
    backend.send('ann', 'own link', { user: 'ann', action: 'send', message: 'hello' });
    await waitFor(() => second.texts.includes('hello'));
    await waitFor(async () => (await fetch(`${cluster.nodes[0]!.httpUrl}/ready`)).ok, { what: 'the node to be ready' });
    const refused = await WsClient.refused(`${cluster.nodes[0]!.wsUrl}/lobby`, {
      headers: { authorization: `Bearer ${token('ann')}` },
    });
    expect(refused).toMatchObject({ status: 409 });
  },
  TIMEOUT_MS,
);

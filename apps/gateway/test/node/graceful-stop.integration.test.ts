import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startGateway, TEST_SECRET, testRedisUrl, uniqueName, waitFor, WsClient } from '@ws-gateway/testkit';
import { configFile, start } from '../cli/running.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  cluster = await GatewayCluster.open({ nodes: [{}, {}] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

describe('SIGTERM', () => {
  it('sends every client away with a reconnect frame and 4000, refuses new ones, and ends with exit code 0', async () => {
    const clients = await Promise.all(
      Array.from({ length: 20 }, (_, at) => cluster.connect(0, `user-${at}`, 'notifications')),
    );
    const [leaving] = cluster.nodes;
    const stopping = leaving!.stop();
    for (const client of clients) {
      const frame = await client.next('reconnect', 10_000);
      expect(frame).toMatchObject({
        rid: -1,
        status: 'ok',
        payload: { reason: 'drain', after_ms: expect.any(Number) },
      });
      expect((await client.closed).code).toBe(4000);
    }
    expect(await stopping).toEqual({ code: 0, signal: null });
  });

  it('loses no record: the other node goes on, and what was written meanwhile is resumed there', async () => {
    const client = await cluster.connect(1, 'user-0', 'notifications');
    await cluster.produce('notifications', ...Array.from({ length: 100 }, (_, at) => record('user-0', at)));
    await client.next(({ payload }) => payload === 99, 20_000);
    const seen = client.frames.filter(({ stream }) => stream);
    expect(seen.map(({ offset }) => offset)).toEqual(Array.from({ length: 100 }, (_, at) => at + 1));
    await client.close();
    const { epoch } = seen[0] as { epoch: string };
    const back = await WsClient.open(
      cluster.url(
        1,
        `token=${token('user-0')}&topics=notifications&recover=${encodeURIComponent(`notifications:${epoch}:90`)}`,
      ),
    );
    expect(await back.next('connected')).toMatchObject({
      payload: { topics: [{ recovered: true, replayed: 10, offset: 100 }] },
    });
    await back.next(({ payload }) => payload === 99);
    expect(back.frames.filter(({ stream }) => stream).map(({ payload }) => payload)).toEqual(
      Array.from({ length: 10 }, (_, at) => 90 + at),
    );
    await back.close();
  });

  // Fails when any number of sockets is spread over the whole duration: `docker stop` kills after 10 s.
  it('sends twenty sockets away within a second or so, however long the drain may take', async () => {
    const gateway = await startGateway({
      config: { ...{ role: 'edge', redis: { keyPrefix: uniqueName('few') } }, server: { drain: { duration: '30s' } } },
    });
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => WsClient.open(`${gateway.wsUrl}/ws?token=${token('u1')}`)),
    );
    const beganMs = performance.now();
    const exit = gateway.stop();
    const codes = (await Promise.all(clients.map(({ closed }) => closed))).map(({ code }) => code);
    expect(performance.now() - beganMs).toBeLessThan(3000);
    expect(codes).toEqual(clients.map(() => 4000));
    expect(await exit).toEqual({ code: 0, signal: null });
  });

  // Fails when the group is left behind the sockets: a member that was killed keeps its partitions until its session ends.
  it('leaves the group before the sockets, so that a kill in the middle of the drain delays no record', async () => {
    const pair = await GatewayCluster.open({ nodes: [{}, {}] });
    try {
      const [leaving] = pair.nodes;
      const watcher = await pair.connect(1, 'watcher', 'notifications');
      const clients = await Promise.all(Array.from({ length: 100 }, (_, at) => pair.connect(0, `user-${at}`, '')));
      void leaving!.stop();
      await Promise.race(clients.map((client) => client.next('reconnect', 10_000)));
      await leaving!.kill();
      await pair.produce(
        'notifications',
        ...Array.from({ length: 20 }, (_, at) => ({ ...record('watcher', at), key: `k${at}` })),
      );
      await waitFor(() => watcher.frames.filter(({ event }) => event === 'notifications').length === 20, {
        ...{ timeoutMs: 5000, what: 'records of all partitions' },
      });
      await watcher.close();
    } finally {
      await pair.close();
    }
  });

  it('does not wait for a Kafka that is away', async () => {
    const port = await freePort();
    const config = configFile({
      server: { host: '127.0.0.1', port, drain: { duration: '100ms', deadline: '10s' } },
      ...{ kafka: { bootstrapServers: `127.0.0.1:${await freePort()}` }, grpc: { enabled: false } },
      ...{
        redis: { addr: new URL(testRedisUrl()).host, keyPrefix: uniqueName('stop') },
        auth: { secret: TEST_SECRET },
      },
    });
    const running = start(['serve', '-c', config]);
    await running.line('kafka not usable');
    running.child.kill('SIGTERM');
    expect(await running.ended).toMatchObject({ code: 0, signal: null });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, TEST_SECRET, testRedisUrl, uniqueName, WsClient } from '@ws-gateway/testkit';
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

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startRedis, TcpProxy, waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let redis: Awaited<ReturnType<typeof startRedis>>;
let toRedis: TcpProxy;

beforeAll(async () => {
  redis = await startRedis();
  toRedis = await TcpProxy.start({ port: redis.port });
  const config = { redis: { addr: `127.0.0.1:${toRedis.port}` } };
  cluster = await GatewayCluster.open({ nodes: [{ config }] });
}, 90_000);
afterAll(async () => {
  await cluster?.close();
  await toRedis?.stop();
  await redis?.stop();
}, 60_000);

const ask = async (path: string) => {
  const answer = await fetch(`${cluster.nodes[0]!.httpUrl}${path}`);
  return { status: answer.status, body: await answer.text() };
};

describe('health of a node', () => {
  it('is told by plain GETs', async () => {
    const client = await cluster.connect(0, 'ann', '');
    expect(await ask('/health')).toEqual({ status: 200, body: '{"status":"ok","client_count":1}' });
    expect(await ask('/ready')).toEqual({ status: 200, body: '{"status":"ready"}' });
    expect(await ask('/ping')).toEqual({ status: 200, body: 'pong' });
    const { body } = await ask('/metrics');
    expect(body).toMatch(/^ws_gateway_websocket_active_connections 1$/m);
    expect(body).toMatch(/^ws_gateway_http_requests_total\{method="GET",path="\/health"\} \d+$/m);
    await client.close();
  });

  it('says unready within 10 s of losing Redis, keeps its sockets, refuses new ones, and comes back by itself', async () => {
    const client = await cluster.connect(0, 'bob', 'notifications');
    toRedis.cut();
    const unready = async () => (await ask('/ready')).body === '{"status":"unready","failing":["redis"]}';
    await waitFor(unready, { timeoutMs: 10_000, what: 'unready' });
    expect((await ask('/ready')).status).toBe(503);
    expect((await ask('/health')).status).toBe(200);
    const { body } = await ask('/metrics');
    for (const line of ['{part="kafka"} 1', '{part="redis"} 0', '{part="draining"} 1'])
      expect(body).toContain(`\nws_gateway_ready${line}\n`);
    const refused = await WsClient.refused(cluster.url(0, `token=${token('cleo')}`));
    expect(refused).toMatchObject({ status: 503, body: { error: { code: 'unavailable' } } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await cluster.produce('notifications', record('bob', 'written meanwhile'));
    toRedis.restore();
    expect(await client.next('notifications', 15_000)).toMatchObject({ payload: 'written meanwhile' });
    await waitFor(async () => (await ask('/ready')).status === 200, { what: 'ready again' });
    await client.close();
  }, 60_000);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { GatewayCluster, record } from './gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  cluster = await GatewayCluster.open({
    nodes: [{}, { role: 'edge' }],
    topics: { orders: { ack: true, history: { size: 5, ttl: '1m' } } },
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

describe('a topic with acknowledgements', () => {
  it('gives the next connection, on any node, what was not acknowledged', async () => {
    const first = await cluster.connect(0, 'ann', 'orders');
    await cluster.produce('orders', ...[1, 2, 3].map((at) => record('ann', at)));
    await first.next(({ payload }) => payload === 3);
    expect(await first.request('ack', { stream: 'orders/u/ann', offset: 1 })).toMatchObject({ status: 'ok' });
    for (const bad of [{ stream: 'orders/u/ann', offset: 9 }, { stream: 'orders/*', offset: 1 }, { stream: 'x' }]) {
      expect(await first.request('ack', bad)).toMatchObject({ status: 'error', payload: { code: 'bad_request' } });
    }
    await first.close();
    const second = await cluster.connect(1, 'ann', 'orders');
    const connected = second.frames[0]!['payload'] as { topics: object[] };
    expect(connected.topics[0]).not.toHaveProperty('recovered');
    await second.next(({ payload }) => payload === 3);
    expect(second.frames.slice(1).map(({ payload }) => payload)).toEqual([2, 3]);
    await second.request('ack', { stream: 'orders/u/ann', offset: 3 });
    await second.close();
    const third = await cluster.connect(0, 'ann', 'orders');
    await cluster.produce('orders', record('ann', 4));
    expect(await third.next('orders')).toMatchObject({ payload: 4 });
    await third.close();
  });

  it('counts what the history lost before it was acknowledged', async () => {
    const produced = Array.from({ length: 30 }, (_, at) => record('bob', at));
    const witness = await cluster.connect(1, 'bob', 'orders');
    await cluster.produce('orders', ...produced);
    await witness.next(({ payload }) => payload === 29);
    await witness.close();
    const late = await cluster.connect(1, 'bob', 'orders');
    await late.next(({ payload }) => payload === 29);
    expect(late.frames.slice(1).map(({ payload }) => payload)).toEqual([25, 26, 27, 28, 29]);
    const metrics = await (await fetch(`${cluster.nodes[1]!.httpUrl}/metrics`)).text();
    expect(metrics).toMatch(/ws_gateway_messages_expired_total\{topic="orders"\} 25\b/);
    await late.close();
  });
});

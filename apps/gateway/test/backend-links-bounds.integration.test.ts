import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { metric } from './faults/gateway-processes.js';
import { GatewayCluster, token } from './gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  // Nobody ever listens on port 1 of the loopback interface, so everything waits.
  const url = 'ws://127.0.0.1:1';
  const backends = {
    ws: [
      { name: 'few', url, queueEvents: 3 },
      { name: 'small', url, queueBytes: '2kb' },
    ],
  };
  cluster = await GatewayCluster.open({ nodes: [{ role: 'edge', config: { backends } }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

describe('a backend that is away for long', () => {
  it.each(['few', 'small'])('has no more wait for it than its bounds allow (%s)', async (name) => {
    const node = cluster.nodes[0]!;
    const figure = (metricName: string) => metric(node, `backend_link_${metricName}{backend="${name}"}`);
    const client = await WsClient.open(`${node.wsUrl}/${name}?token=${token('quin')}`);
    for (const message of ['x', 'y']) client.send(message);
    await waitFor(async () => (await figure('waiting_events')) === 3);
    expect([client.isOpen, await figure('overflows_total')]).toEqual([true, 0]);
    client.send('z'.repeat(2048));
    expect(await client.closed).toEqual({ code: 1013, reason: 'backend_busy' });
    expect(await figure('overflows_total')).toBe(1);
  });
});

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
      { name: 'shared', url, queueBytes: '1mb' },
    ],
  };
  cluster = await GatewayCluster.open({
    nodes: [{ role: 'edge', config: { backends, limits: { requestsPerSecond: 0 } } }],
  });
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

  it('refuses neither a quiet client nor a newcomer for what others send', async () => {
    const node = cluster.nodes[0]!;
    const open = (user: string) => WsClient.open(`${node.wsUrl}/shared?token=${token(user)}`);
    const figure = (metricName: string) => metric(node, `backend_link_${metricName}{backend="shared"}`);
    const quiet = await open('quiet');
    for (let n = 0; n < 10; n++) {
      const flooder = await open(`flooder-${n}`);
      for (let sent = 0; sent < 20; sent++) flooder.send(`"${'x'.repeat(10_000)}"`);
      // More of it than may wait of one client.
      expect(await flooder.closed).toEqual({ code: 1013, reason: 'backend_busy' });
    }
    const overflows = await figure('overflows_total');
    quiet.send('hello');
    const newcomer = await open('newcomer');
    newcomer.send('hello');
    // Both of them and what they said wait; to make room, what a flooder said before it was closed is gone.
    await waitFor(async () => (await figure('clients')) === 12);
    expect([quiet.isOpen, newcomer.isOpen]).toEqual([true, true]);
    expect(await figure('overflows_total')).toBe(overflows);
    expect(await figure('waiting_bytes')).toBeLessThanOrEqual(1024 * 1024);
    await Promise.all([quiet.close(), newcomer.close()]);
  });
});

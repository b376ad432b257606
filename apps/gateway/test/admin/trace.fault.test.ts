import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN } from './admin-client.js';
import { TraceReader } from './traced.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({ nodes: [{ config }, { role: 'edge', config }, { role: 'edge', config }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

it('a trace reaches a node that comes later, and those of a node that was killed make room for others', async () => {
  const asker = cluster.nodes[2]!;
  const lasting = await TraceReader.open(cluster.nodes[0]!, 'user=u1');
  for (let n = 0; n < 9; n++) await TraceReader.open(asker, `user=t${n}`);
  await cluster.nodes[1]!.kill();
  await cluster.restart(1);
  await asker.kill();
  // The new node has heard of the trace when it tells of it.
  await waitFor(async () => {
    await WsClient.refused(cluster.url(1, `token=${token('u1', { exp: 1 })}`));
    return lasting.steps.some(({ event }) => event === 'refused');
  });
  const client = await cluster.connect(1, 'u1', 'notifications');
  await cluster.produce('notifications', record('u1', {}, { id: 'n-1' }));
  await lasting.until('sent');
  // All ten places again, beside the one that lasts.
  const opened: TraceReader[] = [];
  await waitFor(
    async () => {
      const reader = await TraceReader.open(cluster.nodes[0]!, `user=later${opened.length}`);
      if (reader.response.status === 200) opened.push(reader);
      return opened.length === 9;
    },
    { what: 'nine places', timeoutMs: 30_000 },
  );
  expect((await TraceReader.open(cluster.nodes[1]!, 'user=one-too-many')).response.status).toBe(429);
  for (const reader of [lasting, ...opened]) reader.close();
  await client.close();
}, 120_000);

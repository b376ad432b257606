import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from '../admin/admin-client.js';
import { TraceReader } from '../admin/traced.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  const config = { server: { workers: 2 }, admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({ nodes: [{ config }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

async function names(): Promise<string[]> {
  const { body } = await call(cluster.nodes[0]!, 'GET /api/nodes');
  return (body['nodes'] as { node: string }[]).map(({ node }) => node);
}

/** Opens connections of the user until there is one on each worker, which the kernel chooses. */
async function onEach(user: string, workers: readonly string[]): Promise<ReadonlyMap<string, WsClient>> {
  const found = new Map<string, WsClient>();
  await waitFor(
    async () => {
      const client = await WsClient.open(cluster.url(0, `token=${token(user)}&topics=notifications`));
      const { node } = (await client.next('connected'))['payload'] as { node: string };
      if (found.has(node)) await client.close();
      else found.set(node, client);
      return workers.every((name) => found.has(name));
    },
    { what: 'a connection on each worker' },
  );
  return found;
}

describe('workers that share a port', () => {
  it('are traced together, whichever of them is asked', async () => {
    const workers = await names();
    expect(workers).toHaveLength(2);
    const clients = await onEach('u1', workers);
    // Each has a connection of its own, so that either worker may be the one that is asked.
    const readers = await Promise.all(Array.from({ length: 4 }, () => TraceReader.open(cluster.nodes[0]!, 'user=u1')));
    await cluster.produce('notifications', record('u1', {}, { id: 'n-1' }));
    for (const reader of readers) {
      const steps = await reader.until('sent', 2);
      const sent = steps.filter(({ event }) => event === 'sent').map(({ data }) => data);
      expect(new Set(sent.map(({ node }) => node))).toEqual(new Set(workers));
      const routed = steps.filter(({ event }) => event === 'routed');
      expect(routed.map(({ data }) => [data['id'], data['nodes']])).toEqual([['n-1', 2]]);
      reader.close();
    }
    await Promise.all([...clients.values()].map((client) => client.close()));
  }, 90_000);

  it('each tell their own last hour, whichever of them is asked', async () => {
    for (const node of await names()) {
      const readings = async (): Promise<unknown[]> => {
        const { body } = await call(cluster.nodes[0]!, `GET /api/nodes/${encodeURIComponent(node)}/readings`);
        return body['readings'] as unknown[];
      };
      await waitFor(async () => (await readings()).length > 0, { what: `readings of ${node}`, timeoutMs: 60_000 });
    }
  }, 150_000);
});

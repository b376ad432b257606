import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin-client.js';
import { GatewayCluster, record } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({
    nodes: [
      { role: 'edge', config },
      { role: 'router', config },
    ],
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

interface Reading {
  readonly timestamp: string;
  readonly [member: string]: unknown;
}

/** Asks one node about any, until that has answered in time. */
function readings(node: string, query = '', at = 0): Promise<readonly Reading[]> {
  return waitFor(
    async () => {
      const { body } = await call(cluster.nodes[at]!, `GET /api/nodes/${encodeURIComponent(node)}/readings${query}`);
      return body['readings'] as Reading[] | undefined;
    },
    { what: `an answer of ${node}`, timeoutMs: 30_000 },
  );
}

/** Names of the nodes, the edge first. */
async function names(): Promise<[edge: string, router: string]> {
  const { body } = await call(cluster.nodes[0]!, 'GET /api/nodes');
  const nodes = body['nodes'] as { node: string; role: string }[];
  const of = (role: string): string => nodes.find((row) => row.role === role)!.node;
  return [of('edge'), of('router')];
}

describe('GET /api/nodes/{node}/readings', () => {
  it('tells the last hour of any node, by any node', async () => {
    const [edge, router] = await names();
    const client = await cluster.connect(0, 'ann', 'notifications');
    await cluster.produce('notifications', record('ann', 1), record('ann', 2), { key: 'ann', value: '{' });
    await client.next('notifications');
    const found = async (node: string, isIt: (reading: Reading) => boolean): Promise<Reading> => {
      const search = async () => (await readings(node, '', 1)).find(isIt) ?? false;
      return (await waitFor(search, { what: `a reading of ${node}`, timeoutMs: 45_000 })) as Reading;
    };
    const sent = await found(edge, (reading) => reading['age_p99_ms'] !== null);
    expect(sent).toMatchObject({ sent_per_second: expect.any(Number), lag: 0, dead_letters: 0 });
    expect(await found(edge, (reading) => reading['connections'] === 1)).toMatchObject({ records_per_second: 0 });
    const read = await found(router, (reading) => reading['dead_letters'] === 1);
    expect(read).toMatchObject({ connections: 0, sent_per_second: 0, age_p99_ms: null });
    // Perhaps in the period before: a letter counts when it is written.
    await found(router, (reading) => (reading['records_per_second'] as number) > 0);
    expect(read['memory_bytes']).toBeGreaterThan(1_000_000);
    // Both nodes begin their periods at the same times.
    for (const { timestamp } of [sent, read]) expect(Date.parse(timestamp) % 10_000).toBe(0);
    const all = await readings(edge);
    expect(await readings(edge, `?after=${all[0]!.timestamp}`)).toEqual(expect.arrayContaining(all.slice(1)));
    expect(await readings(edge, `?after=${all.at(-1)!.timestamp}`)).not.toContainEqual(all.at(-1));
    await client.close();
  }, 120_000);

  it('says that there is no such node, and what is no time', async () => {
    const [edge] = await names();
    const unknown = await call(cluster.nodes[0]!, 'GET /api/nodes/nobody/readings');
    expect([unknown.status, unknown.body]).toMatchObject([404, { error: { code: 'unknown_node' } }]);
    const bad = await call(cluster.nodes[0]!, `GET /api/nodes/${edge}/readings?after=yesterday`);
    expect([bad.status, bad.body]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  });

  it('says 503 of a node that does not answer', async () => {
    const [, router] = await names();
    process.kill(cluster.nodes[1]!.pid, 'SIGSTOP');
    try {
      const { status, body } = await call(cluster.nodes[0]!, `GET /api/nodes/${router}/readings`);
      expect([status, body]).toMatchObject([503, { error: { code: 'unavailable' } }]);
    } finally {
      process.kill(cluster.nodes[1]!.pid, 'SIGCONT');
    }
  });
});

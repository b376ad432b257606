import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN } from '../admin/admin-client.js';
import { run, start, type Ended } from './running.js';
import { GatewayCluster, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN } };
  cluster = await GatewayCluster.open({ nodes: [{ config }, { role: 'edge', config }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

/** Runs a command as an operator types it, with the token in the environment. */
function admin(...args: readonly string[]): Promise<Ended> {
  return run([...args, '--url', cluster.nodes[0]!.httpUrl], { env: { WSGATEWAY_ADMIN_TOKEN: ADMIN_TOKEN } });
}

describe('the verbs of the admin API', () => {
  it('publish sends the payload byte for byte', async () => {
    const client = await cluster.connect(1, 'ann', 'notifications');
    const payload = '{"n": 1.00, "big":12345678901234567890}';
    const ended = await admin('publish', 'notifications', '--user', 'ann', '--payload', payload, '--id', 'n-1');
    expect(ended).toMatchObject({
      code: 0,
      stdout: 'n-1: handed to 1 node; notifications/u/ann is at offset 1\n',
      stderr: '',
    });
    await client.next('notifications');
    expect(client.texts.at(-1)).toContain(`,"payload":${payload},`);
    const json = await admin('publish', 'notifications', '--broadcast', '--payload', '1', '--json');
    expect(JSON.parse(json.stdout)).toEqual({ id: expect.any(String), routed: 2 });
    await client.close();
  });

  it('status shows the nodes in a table and as JSON', async () => {
    const table = (await admin('status')).stdout.trimEnd().split('\n');
    expect(table[0]).toMatch(
      /^NODE +ROLE +STATE +CONNECTIONS +USERS +PARTITIONS +LAG +DEAD +P99 +UP +ADDRESS +VERSION$/,
    );
    expect(table.slice(1, -1).join('\n')).toMatch(
      / +edge +serving +\d+ +\d+ +- +- +- +\S+( ms)? +\S+ +127\.0\.0\.1:\d+ +\d+\.\d+\.\d+/,
    );
    expect(table.at(-1)).toMatch(/^2 nodes, \d connections?$/);
    const { nodes } = JSON.parse((await admin('status', '--json')).stdout) as { nodes: object[] };
    expect(nodes).toHaveLength(2);
  });

  it('status --sort puts the largest first', async () => {
    const clients = [await cluster.connect(1, 'c1', ''), await cluster.connect(1, 'c2', '')];
    await waitFor(async () => {
      const { stdout } = await admin('status', '--sort', 'connections', '--json');
      const { nodes } = JSON.parse(stdout) as { nodes: { connections: number }[] };
      return nodes[0]!.connections >= 2 && nodes[0]!.connections >= nodes[1]!.connections;
    });
    expect(await admin('status', '--sort', 'size')).toMatchObject({ code: 2, stderr: expect.stringContaining('lag') });
    await Promise.all(clients.map((client) => client.close()));
  });

  it('status --watch shows them again and again, until it is interrupted', async () => {
    const url = ['--url', cluster.nodes[0]!.httpUrl];
    const watching = start(['status', '--watch', '50ms', '--json', ...url], {
      env: { WSGATEWAY_ADMIN_TOKEN: ADMIN_TOKEN },
    });
    await waitFor(() => watching.stdout().split('\n').length > 3, { what: 'three lines' });
    watching.child.kill('SIGINT');
    const { code, stdout, stderr } = await watching.ended;
    expect([code, stderr]).toEqual([0, '']);
    for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('nodes.length', 2);
  });

  it('block, unblock and disconnect do so', async () => {
    const client = await cluster.connect(1, 'bob', '');
    expect((await admin('block', 'bob', '--reason', 'fraud', '--ttl', '1h')).stdout).toMatch(
      /^bob is blocked until \d{4}-/,
    );
    expect(await client.closed).toEqual({ code: 4500, reason: 'fraud' });
    expect((await WsClient.refused(cluster.url(0, `token=${token('bob')}`))).status).toBe(403);
    expect((await admin('unblock', 'bob')).code).toBe(0);
    const again = await cluster.connect(1, 'bob', '');
    expect((await admin('disconnect', 'bob')).stdout).toBe('1 connection closed\n');
    expect((await again.closed).code).toBe(4504);
  });

  it('end with 1 when the gateway refuses or is not there, and with 2 when they are used wrongly', async () => {
    expect(await admin('drain', 'nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('(unknown_node)'),
    });
    expect(await admin('publish', 'notifications', '--payload', '1')).toMatchObject({ code: 2 });
    expect(await run(['status', '--url', cluster.nodes[0]!.httpUrl])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('WSGATEWAY_ADMIN_TOKEN'),
    });
    const wrong = await run(['status', '--url', cluster.nodes[0]!.httpUrl, '--admin-token', 'not-this']);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('(token_invalid)') });
    expect(wrong.stderr).not.toContain('not-this');
    const nobody = await run(['status', '--url', 'http://127.0.0.1:9', '--admin-token', 'x']);
    expect(nobody).toMatchObject({ code: 1, stdout: '' });
  });

  it('drain lets a node go', async () => {
    const { nodes } = JSON.parse((await admin('status', '--json')).stdout) as {
      nodes: { node: string; role: string }[];
    };
    const { node } = nodes.find(({ role }) => role === 'edge')!;
    expect(await admin('drain', node)).toMatchObject({ code: 0, stdout: `${node} drains\n` });
    expect(await cluster.nodes[1]!.exited).toEqual({ code: 0, signal: null });
  });
});

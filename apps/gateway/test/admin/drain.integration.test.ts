import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from './admin-client.js';
import { GatewayCluster, token } from '../gateway-cluster.js';

let cluster: GatewayCluster;

beforeAll(async () => {
  const config = { admin: { token: ADMIN_TOKEN }, server: { drain: { duration: '3s', deadline: '15s' } } };
  cluster = await GatewayCluster.open({ nodes: [{ config }, { config }] });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

interface NodeView {
  readonly node: string;
  readonly address: string;
  readonly draining: boolean;
}

async function nodes(at: number): Promise<NodeView[]> {
  return (await call(cluster.nodes[at]!, 'GET /api/nodes')).body['nodes'] as NodeView[];
}

async function nameOf(at: number): Promise<string> {
  return (await nodes(0)).find(({ address }) => address.endsWith(`:${cluster.nodes[at]!.port}`))!.node;
}

describe('POST /api/nodes/{node}/drain', () => {
  it('lets another node go as SIGTERM does', async () => {
    const leaving = cluster.nodes[1]!;
    const name = await nameOf(1);
    const clients = await Promise.all(Array.from({ length: 20 }, (_, at) => cluster.connect(1, `u${at}`, '')));
    const stays = await cluster.connect(0, 'v', '');
    const answer = await call(cluster.nodes[0]!, `POST /api/nodes/${name}/drain`);
    expect(answer).toMatchObject({ status: 202, body: { node: name, draining: true } });
    await waitFor(async () => (await fetch(`${leaving.httpUrl}/ready`)).status === 503, {
      what: '/ready to say draining',
    });
    expect(await (await fetch(`${leaving.httpUrl}/ready`)).json()).toMatchObject({ failing: ['draining'] });
    expect(await WsClient.refused(cluster.url(1, `token=${token('w')}`))).toMatchObject({
      status: 503,
      body: { error: { code: 'draining' } },
    });
    await waitFor(async () => (await nodes(0)).some(({ node, draining }) => node === name && draining), {
      what: 'the others to see that it drains',
    });
    // The drain is paced: some clients are sent away while others are still there.
    expect(clients.some(({ isOpen }) => isOpen)).toBe(true);
    for (const client of clients) expect(await client.closed).toEqual({ code: 4000, reason: 'drain' });
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    expect((await nodes(0)).map(({ node }) => node)).not.toContain(name);
    expect(stays.isOpen).toBe(true);
    await stays.close();
  });

  it('says so when there is no such node', async () => {
    const refused = await call(cluster.nodes[0]!, 'POST /api/nodes/nowhere/drain');
    expect(refused).toMatchObject({ status: 404, body: { error: { code: 'unknown_node' } } });
  });

  it('lets the node go that was asked', async () => {
    expect((await call(cluster.nodes[0]!, `POST /api/nodes/${await nameOf(0)}/drain`)).status).toBe(202);
    expect(await cluster.nodes[0]!.exited).toEqual({ code: 0, signal: null });
  });
});

describe('a node that only routes', () => {
  let apart: GatewayCluster;
  beforeAll(async () => {
    const config = { admin: { token: ADMIN_TOKEN } };
    apart = await GatewayCluster.open({
      nodes: [
        { role: 'edge', config },
        { role: 'router', config },
      ],
    });
  }, 90_000);
  afterAll(() => apart?.close(), 60_000);

  it('asks the others, is not counted among the receivers, and goes when it is told', async () => {
    const [edge, router] = apart.nodes;
    const client = await apart.connect(0, 'ann', '');
    expect((await call(router!, 'GET /api/subscriptions')).body).toEqual({ subscriptions: [] });
    expect((await call(edge!, 'GET /api/subscriptions')).body).toEqual({ subscriptions: [] });
    const { connection } = client.frames[0]!['payload'] as { connection: string };
    const body = { topic: 'notifications', broadcast: true, payload: 1 };
    expect((await call(router!, 'POST /api/publish', { body })).body).toMatchObject({ routed: 1 });
    expect(await client.next('notifications')).toMatchObject({ payload: 1 });
    expect((await call(router!, `DELETE /api/connections/${connection}`)).body).toEqual({ closed: 1 });
    const rows = (await call(edge!, 'GET /api/nodes')).body['nodes'] as { node: string; role: string }[];
    const { node } = rows.find(({ role }) => role === 'router')!;
    expect((await call(edge!, `POST /api/nodes/${node}/drain`)).status).toBe(202);
    expect(await router!.exited).toEqual({ code: 0, signal: null });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, waitFor, WsClient } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { notify } from '../grpc-client.js';
import { SseClient } from './sse-client.js';

const WORKERS = 2;
/** Connections of which each worker has some: that one has none of them happens once in 500 million runs. */
const MANY = 30;

let cluster: GatewayCluster;
let grpcPort: number;
const clients: { user: string; client: SseClient; node: string }[] = [];

beforeAll(async () => {
  grpcPort = await freePort();
  const config = { server: { workers: WORKERS }, grpc: { enabled: true, port: grpcPort } };
  cluster = await GatewayCluster.open({ nodes: [{ config }], topics: { orders: {} } });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const gateway = () => cluster.nodes[0]!;

async function open(user: string, lastId = ''): Promise<{ user: string; client: SseClient; node: string }> {
  const headers: Record<string, string> = { connection: 'close', ...(lastId !== '' && { 'last-event-id': lastId }) };
  const client = await SseClient.open(`${gateway().httpUrl}/sse?token=${token(user)}&topics=orders`, headers);
  const { data } = await client.next('connected');
  const { node } = (JSON.parse(data) as { payload: { node: string } }).payload;
  return { user, client, node };
}

/** Comes back with that id until a connection is on another worker than `node`. */
async function openElsewhere(user: string, node: string, lastId: string): Promise<SseClient> {
  for (let tries = 0; tries < MANY; tries++) {
    const { client, node: other } = await open(user, lastId);
    if (other !== node) return client;
    client.close();
  }
  throw new Error(`${MANY} connections came to the same worker`);
}

async function health(): Promise<unknown> {
  // Each request has a connection of its own, so that any worker may be the one that answers.
  const answer = await fetch(`${gateway().httpUrl}/health`, { headers: { connection: 'close' } });
  return answer.json();
}

describe('server-sent events of workers that share a port', () => {
  it('are admitted by each of them, and counted by whichever answers', async () => {
    for (let at = 0; at < MANY; at++) clients.push(await open(`user-${at}`));
    expect(new Set(clients.map(({ node }) => node)).size).toBe(WORKERS);
    const socket = await WsClient.open(cluster.url(0, `token=${token('socket')}&topics=orders`));
    await socket.next('connected');
    for (let asked = 0; asked < 8; asked++) expect(await health()).toEqual({ status: 'ok', client_count: MANY + 1 });
    socket.terminate();
    await waitFor(async () => JSON.stringify(await health()) === `{"status":"ok","client_count":${MANY}}`);
  });

  it('carry a record to the client it is for, wherever that is, and one for all to everybody', async () => {
    const [first] = clients;
    const other = clients.find(({ node }) => node !== first!.node)!;
    for (const { user } of [first!, other]) await cluster.produce('orders', record(user, `for ${user}`));
    await cluster.produce('orders', { value: { payload: 'for all' }, headers: { 'ws-audience': 'topic' } });
    for (const { client } of clients) await waitFor(() => client.payloads.includes('for all'), { timeoutMs: 30_000 });
    for (const { user, client } of [first!, other]) {
      await waitFor(() => client.payloads.includes(`for ${user}`), { timeoutMs: 30_000 });
      expect(client.payloads).toHaveLength(2);
    }
  });

  it('resume on the other worker: nothing is missed, nothing comes twice', async () => {
    const { client, node } = await open('returning');
    for (let n = 1; n <= 3; n++) await cluster.produce('orders', record('returning', n));
    await client.count(3);
    const behindTheFirst = client.events.find(({ data }) => data.includes('"payload":1'))!.id;
    client.close();
    await cluster.produce('orders', record('returning', 4));
    const again = await openElsewhere('returning', node, behindTheFirst);
    await again.count(3);
    await cluster.produce('orders', record('returning', 5));
    await waitFor(() => again.payloads.includes(5), { timeoutMs: 30_000 });
    expect(again.payloads).toEqual([2, 3, 4, 5]);
    again.close();
  });

  it('bring what gRPC says to all, and to one user, wherever the call is served', async () => {
    await notify(grpcPort, 'Broadcast', { type: 'TYPE_INFO', entityId: 'all-streams' });
    const entities = (client: SseClient, event: string) =>
      client.frames.filter((frame) => frame['event'] === event).map((frame) => frame['entityId']);
    for (const { client } of clients) {
      await client.next('broadcast');
      expect(entities(client, 'broadcast')).toEqual(['all-streams']);
    }
    for (const { user, client } of clients.slice(0, 4)) {
      await notify(grpcPort, 'PrivateNotify', { type: 'TYPE_INFO', entityId: user, userId: user });
      await client.next('private');
      expect(entities(client, 'private')).toEqual([user]);
    }
  });

  it('end with their clients, on each of them', async () => {
    for (const { client } of clients.splice(0)) client.close();
    await waitFor(async () => JSON.stringify(await health()) === '{"status":"ok","client_count":0}', {
      timeoutMs: 30_000,
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, waitFor, WsClient } from '@ws-gateway/testkit';
import { notify } from '../grpc-client.js';
import { GatewayCluster, record, token } from '../gateway-cluster.js';

const WORKERS = 2;
const MANY = 24;
const ADMIN_TOKEN = 'admin-of-the-workers';

let cluster: GatewayCluster;
let grpcPort: number;
/** Sockets of many users, by the node that has them. */
const clients = new Map<string, Map<string, WsClient>>();

beforeAll(async () => {
  grpcPort = await freePort();
  const server = { workers: WORKERS };
  const grpc = { enabled: true, port: grpcPort };
  const hubs = [{ name: 'main', grpcPort: await freePort() }];
  cluster = await GatewayCluster.open({
    nodes: [{ config: { server, grpc, hubs, admin: { token: ADMIN_TOKEN } } }],
    partitions: 4,
  });
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

const gateway = () => cluster.nodes[0]!;
const nodes = () => [...clients.keys()];

async function connect(user: string, topics = 'notifications'): Promise<{ client: WsClient; node: string }> {
  const client = await WsClient.open(cluster.url(0, `token=${token(user)}&topics=${topics}`));
  const { node } = (await client.next('connected'))['payload'] as { node: string };
  if (!clients.has(node)) clients.set(node, new Map());
  clients.get(node)!.set(user, client);
  return { client, node };
}

async function ask(path: string): Promise<{ status: number; body: string }> {
  // Each request has a connection of its own, so that any worker may be the one that answers.
  const answer = await fetch(`${gateway().httpUrl}${path}`, { headers: { connection: 'close' } });
  return { status: answer.status, body: await answer.text() };
}

async function metric(name: string): Promise<number> {
  const { body } = await ask('/metrics');
  const line = body.split('\n').find((one) => one.startsWith(`ws_gateway_${name} `));
  return Number(line?.split(' ')[1]);
}

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It is dead already.
    expect(error).toMatchObject({ code: 'ESRCH' });
  }
}

/** Reads the newest process id of each place from the supervisor's log. */
function workerPids(): number[] {
  const pids = new Map<unknown, number>();
  for (const { message, worker, pid } of gateway().logs) {
    if (message === 'worker listens') pids.set(worker, pid as number);
  }
  return [...pids.values()];
}

/** Finds the process id of a node: workers log both. */
function pidOf(node: string): number {
  const line = gateway().logs.find(({ message, node: of }) => message === 'listening' && of === node);
  return line!['pid'] as number;
}

describe('workers that share a port', () => {
  it('are nodes of their own, and connections spread over them', async () => {
    for (let at = 0; at < MANY; at++) await connect(`user-${at}`);
    expect(nodes()).toHaveLength(WORKERS);
    const answer = await fetch(`${gateway().httpUrl}/api/nodes`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const { nodes: rows } = (await answer.json()) as { nodes: { node: string }[] };
    expect(rows.map(({ node }) => node).sort()).toEqual(nodes().sort());
  });

  it('speak for all of them, whichever answers', async () => {
    const open = [...clients.values()].reduce((sum, users) => sum + users.size, 0);
    for (let asked = 0; asked < 8; asked++) {
      expect(await ask('/health')).toEqual({ status: 200, body: `{"status":"ok","client_count":${open}}` });
      expect(await ask('/ready')).toEqual({ status: 200, body: '{"status":"ready"}' });
      expect(await metric('websocket_active_connections')).toBe(open);
      expect(await metric('websocket_connection_duration_seconds_count')).toBe(0);
      expect(await metric('workers')).toBe(WORKERS);
    }
    const { body } = await ask('/metrics');
    for (const node of nodes()) expect(body).toContain(`node="${node}"`);
  });

  it('carry a record to sockets on all of them, once', async () => {
    const users = [...clients.values()].map((of) => [...of][0]!);
    await cluster.produce('notifications', ...users.map(([user]) => record(user, `for ${user}`)));
    for (const [user, client] of users) {
      expect(await client.next('notifications')).toMatchObject({ user_id: user, payload: `for ${user}` });
    }
    await cluster.produce('notifications', { value: { broadcast: true, payload: 'for all' } });
    for (const [, client] of users) {
      await client.next(({ payload }) => payload === 'for all');
      expect(client.frames).toHaveLength(3);
    }
    // Any of them may have consumed it.
    await waitFor(async () => (await metric('kafka_messages_processed_total{topic="notifications"}')) === 3);
  });

  it('serve gRPC from one of them', async () => {
    const users = [...clients.values()].map((of) => [...of][0]!);
    await notify(grpcPort, 'Broadcast', { type: 'TYPE_INFO', entityId: 'all-workers' });
    for (const [, client] of users) {
      await client.next(({ entityId }) => entityId === 'all-workers');
    }
    expect(gateway().logs.filter(({ message }) => message === 'grpc listens')).toHaveLength(2);
    expect(gateway().output.join('\n')).not.toContain('cannot be opened');
  });
});

describe('guesses at the token of the admin API', () => {
  it('are slow though each of the workers counts by itself', async () => {
    const authorization = 'Bearer guess';
    const guess = () =>
      fetch(`${gateway().httpUrl}/api/nodes`, { headers: { authorization, connection: 'close' } }).then(
        ({ status }) => status,
      );
    const beganMs = performance.now();
    const atOnce = await Promise.all(Array.from({ length: 25 }, guess));
    expect(performance.now() - beganMs).toBeGreaterThan(2_000);
    expect(new Set(atOnce)).toEqual(new Set([401]));
  });
});

describe('a worker that is killed', () => {
  it('comes back as a new node; the other one keeps its sockets, takes the gRPC ports and says who is missing', async () => {
    const before = await metric('websocket_connections_total');
    const owner = gateway().logs.find(({ message }) => message === 'grpc listens')!['node'] as string;
    const [survivor] = nodes().filter((node) => node !== owner);
    const lost = [...clients.get(owner)!.values()];
    const kept = [...clients.get(survivor!)!.values()];
    process.kill(pidOf(owner), 'SIGKILL');
    await Promise.all(lost.map(({ closed }) => closed));
    clients.delete(owner);
    // This asks again and again, because on a quick machine the worker is back between two questions.
    await waitFor(
      async () => {
        for (const pid of workerPids()) if (pid !== pidOf(survivor!)) killed(pid);
        return (await ask('/ready')).body === '{"status":"unready","failing":["starting"]}';
      },
      { timeoutMs: 30_000, what: 'a worker missing' },
    );
    const broadcast = () => notify(grpcPort, 'Broadcast', { type: 'TYPE_INFO', entityId: 'survived' });
    await waitFor(() => broadcast().then(() => true), { timeoutMs: 30_000, what: 'gRPC answers again' });
    for (const client of kept) await client.next(({ entityId }) => entityId === 'survived');
    // This does not wait for "ready": until the group notices that a member is gone, Kafka gives the new one nothing to
    // read.
    const back = async () => (await metric('workers')) === WORKERS && !(await ask('/ready')).body.includes('starting');
    await waitFor(back, { timeoutMs: 60_000, what: 'both workers' });
    const ends = gateway().logs.filter(({ message }) => message === 'worker ended');
    expect(await metric('worker_restarts_total')).toBe(ends.length);
    expect(await metric('websocket_connections_total')).toBe(before);
    expect(await metric('websocket_active_connections')).toBe(kept.length);
    const onNewNode = async (at: number) => ![owner, survivor].includes((await connect(`again-${at}`)).node);
    let at = 0;
    await waitFor(() => onNewNode(at++), { timeoutMs: 30_000, what: 'a connection on the new worker' });
  }, 120_000);
});

describe('SIGTERM to the supervisor', () => {
  it('drains all workers and ends with 0', async () => {
    const fresh = await Promise.all(Array.from({ length: MANY }, (_, at) => connect(`last-${at}`)));
    expect(new Set(fresh.map(({ node }) => node)).size).toBe(WORKERS);
    const stopping = gateway().stop();
    for (const { client } of fresh) {
      expect(await client.next('reconnect', 20_000)).toMatchObject({ payload: { reason: 'drain' } });
      expect((await client.closed).code).toBe(4000);
    }
    expect(await stopping).toEqual({ code: 0, signal: null });
    for (const pid of workerPids()) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  }, 60_000);
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, signToken, TEST_SECRET, waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { run } from '../cli/running.js';
import { exampleFile, metricsOf, NO_KAFKA, oneCluster, startExample, stopAll, token } from './example.js';
import { HttpBackend } from './http-backend.js';
import { Notifier } from './notifier.js';

/** The hubs example: hubs of users, JWT, a gRPC port for each hub, logs to Loki. Its own variables configure it. */
let nodes: GatewayProcess[] = [];
let loki: HttpBackend;
const notifiers: Notifier[] = [];

const ISSUER = 'accounts';
const valid = (user: string): string => token(user, { iss: ISSUER });

beforeAll(async () => {
  loki = await HttpBackend.start(() => ({ status: 204 }));
  const cluster = oneCluster();
  const start = async (grpcPorts: string): Promise<GatewayProcess> =>
    startExample('hubs', {
      ...cluster,
      ...NO_KAFKA,
      JWT_ISSUER: ISSUER,
      ENV_TYPE: 'prod',
      WEBSOCKET_HUBS: 'main,support',
      GRPC_SERVER_PORTS: grpcPorts,
      GRPC_PORT: String(await freePort()),
      LOKI_ENDPOINT_URL: `${loki.url}/loki/api/v1/push`,
      LOKI_LABELS: '{"app":"websocket-api-gateway", "env":"prod"}',
    });
  const ports = [await freePort(), await freePort(), await freePort(), await freePort()];
  nodes = await Promise.all([start(`${ports[0]},${ports[1]}`), start(`${ports[2]},${ports[3]}`)]);
  notifiers.push(new Notifier(ports[0]!), new Notifier(ports[1]!));
}, 90_000);
afterAll(async () => {
  for (const notifier of notifiers) notifier.close();
  await stopAll(...nodes);
  await loki?.stop();
}, 60_000);

const urlOf = (at: number, hub: string): string => `${nodes[at]!.wsUrl}/websocket/${hub}`;
const bearer = (jwt: string) => ({ headers: { authorization: `Bearer ${jwt}` } });

async function join(at: number, hub: string, user: string): Promise<WsClient> {
  const client = await WsClient.open(urlOf(at, hub), bearer(valid(user)));
  await client.next('connected');
  return client;
}

describe('the hubs example', () => {
  it('has the defaults of the system it replaces', async () => {
    const { stdout } = await run(['config', 'print', '--json', '-c', exampleFile('hubs')]);
    expect(JSON.parse(stdout)).toMatchObject({
      server: { port: 8090 },
      auth: { issuer: 'issuer', algorithms: ['HS256'] },
      hubs: [{ name: 'main', grpcPort: 50051 }],
      logger: { environment: 'dev', loki: { url: 'http://localhost:3100/loki/api/v1/push', labels: {} } },
    });
    const env = { WEBSOCKET_HUBS: 'main,support', GRPC_SERVER_PORTS: '6000' };
    const counted = await run(['config', 'print', '--json', '-c', exampleFile('hubs')], { env });
    expect(JSON.parse(counted.stdout)).toMatchObject({ hubs: [{ grpcPort: 6000 }, { grpcPort: 6001 }] });
  });

  it('answers GET /ping, as its container is asked', async () => {
    const answer = await fetch(`${nodes[0]!.httpUrl}/ping`);
    expect([answer.status, await answer.text()]).toEqual([200, 'pong']);
  });

  it('lets nobody in without a valid token of its issuer, and into no hub that is not listed', async () => {
    const past = Math.floor(Date.now() / 1000) - 60;
    const refusals = [
      [{}, 401, 'token_missing'],
      [bearer('not-a-jwt'), 401, 'token_invalid'],
      [bearer(signToken({ sub: 'ann', iss: ISSUER }, 'another secret')), 401, 'token_invalid'],
      [bearer(token('ann', { iss: 'issuer' })), 401, 'token_invalid'],
      [bearer(token('ann', { iss: ISSUER, exp: past })), 401, 'token_expired'],
    ] as const;
    for (const [options, status, code] of refusals) {
      expect(await WsClient.refused(urlOf(0, 'main'), options)).toMatchObject({ status, body: { error: { code } } });
    }
    const unknown = await WsClient.refused(urlOf(0, 'game'), bearer(valid('ann')));
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: 'unknown_hub' } } });
  });

  it('carries messages between users of a hub in both directions, on whichever node they are', async () => {
    const [ann, bob, eve] = await Promise.all([
      join(0, 'main', 'ann'),
      join(1, 'main', 'bob'),
      join(1, 'support', 'eve'),
    ]);
    await ann.request('send', { to: { hub: 'main' }, payload: { text: 'hello' } });
    expect(await bob.next('hub')).toMatchObject({ from: 'ann', hub: 'main', payload: { text: 'hello' } });
    await bob.request('send', { to: { user: 'ann' }, payload: { text: 'hi' } });
    expect(await ann.next('user')).toMatchObject({ from: 'bob', payload: { text: 'hi' } });
    // The hub's own message is the barrier: nothing of the other hub came before it.
    await notifiers[1]!.call('Broadcast', 'support only', { type: 'TYPE_INFO', entityId: '1' });
    await eve.next('broadcast');
    expect(eve.frames.map(({ event }) => event)).toEqual(['connected', 'broadcast']);
    for (const client of [ann, bob, eve]) await client.close();
  });

  it('lets services notify each hub on its own gRPC port', async () => {
    const [ann, eve] = await Promise.all([join(1, 'main', 'ann'), join(0, 'support', 'eve')]);
    await notifiers[0]!.call('Broadcast', 'to main', { type: 'TYPE_WARNING', entityId: 'm' });
    await notifiers[1]!.call('PrivateNotify', 'to eve', { type: 'TYPE_INFO', entityId: 's', userId: 'eve' });
    // Eve is in the other hub, so this reaches nobody.
    await notifiers[0]!.call('PrivateNotify', 'to nobody', { type: 'TYPE_INFO', entityId: 'x', userId: 'eve' });
    await notifiers[1]!.call('Broadcast', 'to support', { type: 'TYPE_ERROR', entityId: 'e' });
    expect(await ann.next('broadcast')).toMatchObject({
      type: 'warning',
      entityId: 'm',
      payload: { value: 'to main' },
    });
    expect(await eve.next('private')).toMatchObject({ type: 'info', entityId: 's', payload: { value: 'to eve' } });
    expect(await eve.next('broadcast')).toMatchObject({ type: 'error', payload: { value: 'to support' } });
    expect(eve.frames.map(({ event }) => event)).toEqual(['connected', 'private', 'broadcast']);
    for (const client of [ann, eve]) await client.close();
  });

  it('measures connections, throughput, response times and errors', async () => {
    const ann = await join(0, 'main', 'ann');
    await ann.request('ping');
    const text = await metricsOf(nodes[0]!);
    for (const series of [
      /^ws_gateway_websocket_active_connections [1-9]/m,
      /^ws_gateway_websocket_messages_received_total\{type="ping"\} [1-9]/m,
      /^ws_gateway_websocket_messages_sent_total\{type="response"\} [1-9]/m,
      /^ws_gateway_http_request_duration_seconds_count\{path="\/ping"\} [1-9]/m,
      /^ws_gateway_websocket_auth_errors_total [1-9]/m,
    ])
      expect(text).toMatch(series);
    await ann.close();
  });

  it('sends its log to Loki under the configured labels, down to the last line', async () => {
    const values = () => loki.asked.flatMap(({ body }) => (body as LokiPush).streams);
    const lines = () => values().flatMap((stream) => stream.values.map(([, line]) => JSON.parse(line) as object));
    await waitFor(() => lines().some((line) => 'message' in line && line.message === 'listening'));
    expect(values().every(({ stream }) => stream['app'] === 'websocket-api-gateway')).toBe(true);
    expect(values()[0]!.stream).toEqual({ app: 'websocket-api-gateway', env: 'prod' });
    expect(loki.last.path).toBe('/loki/api/v1/push');
    const last = nodes.pop()!;
    expect(await last.stop()).toEqual({ code: 0, signal: null });
    expect(lines().at(-1)).toMatchObject({ message: 'stopped', env: 'prod' });
  });
});

interface LokiPush {
  readonly streams: readonly {
    readonly stream: Readonly<Record<string, string>>;
    readonly values: readonly (readonly [time: string, line: string])[];
  }[];
}

describe('the hubs example on one node', () => {
  it('needs neither Kafka nor Redis, and no Loki that answers', async () => {
    const node = await startExample('hubs', {
      ...NO_KAFKA,
      REDIS_URL: 'redis://127.0.0.1:1',
      LOKI_ENDPOINT_URL: 'http://127.0.0.1:1/loki/api/v1/push',
      GRPC_PORT: String(await freePort()),
      GRPC_SERVER_PORTS: String(await freePort()),
    });
    const open = async (user: string): Promise<WsClient> => {
      const jwt = signToken({ sub: user, iss: 'issuer' }, TEST_SECRET);
      const client = await WsClient.open(`${node.wsUrl}/websocket/main`, bearer(jwt));
      await client.next('connected');
      return client;
    };
    const [ann, bob] = await Promise.all([open('ann'), open('bob')]);
    await ann.request('send', { to: { hub: 'main' }, payload: 1 });
    expect(await bob.next('hub')).toMatchObject({ from: 'ann', payload: 1 });
    await waitFor(() => node.logs.some(({ message }) => message === 'loki takes no log lines'));
    expect(await node.stop()).toEqual({ code: 0, signal: null });
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let node: GatewayProcess;

beforeAll(async () => {
  cluster = await GatewayCluster.open({
    nodes: [{ config: { limits: { badRequests: 3, requestsPerSecond: 10 } } }],
    topics: { notifications: { queueBytes: '8kb' } },
  });
  node = cluster.nodes[0]!;
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

async function counted(series: 'refusals' | 'closes', code: string): Promise<number> {
  const text = await (await fetch(`${node.httpUrl}/metrics`)).text();
  const name = { refusals: 'websocket_refusals_total', closes: 'websocket_closes_total' }[series];
  return Number(new RegExp(`^ws_gateway_${name}\\{code="${code}"\\} (\\d+)$`, 'm').exec(text)![1]);
}

const refusals = (code: string): Promise<number> => counted('refusals', code);

function lines(message: string): Readonly<Record<string, unknown>>[] {
  return node.logs.filter((line) => line['message'] === message);
}

describe('why somebody is not connected', () => {
  it('is counted by code, and told in the log once for each code and address, with the user where it is known', async () => {
    const forbidden = `token=${token('u1', { topics: ['balance-updates'] })}&topics=notifications`;
    for (let n = 0; n < 3; n++) await WsClient.refused(cluster.url(0, forbidden));
    for (let n = 0; n < 2; n++) await WsClient.refused(cluster.url(0, 'token=none'));
    expect([await refusals('topic_forbidden'), await refusals('token_invalid')]).toEqual([3, 2]);
    expect(lines('handshake refused')).toEqual([
      expect.objectContaining({ level: 'warn', code: 'topic_forbidden', address: '127.0.0.1', user: 'u1' }),
      expect.objectContaining({ level: 'warn', code: 'token_invalid', address: '127.0.0.1' }),
    ]);
    expect(lines('handshake refused')[1]).not.toHaveProperty('user');
  });

  it('is told in the log of who was closed because too much waited, with user, connection and topic', async () => {
    const client = await cluster.connect(0, 'u2', 'notifications');
    const { connection } = client.frames[0]!['payload'] as { connection: string };
    client.pause();
    const texts = Array.from({ length: 200 }, (_, n) => record('u2', { n, text: 'x'.repeat(40_000) }));
    for (let at = 0; at < texts.length && lines('connection closed').length === 0; at += 20) {
      await cluster.produce('notifications', ...texts.slice(at, at + 20));
    }
    await waitFor(() => lines('connection closed').length > 0, { what: 'the line of the close' });
    expect(lines('connection closed')).toEqual([
      expect.objectContaining({ level: 'info', code: 4001, user: 'u2', connection, topic: 'notifications' }),
    ]);
    client.resume();
    await client.close();
  });

  it.each([
    ['of what it asked nothing was of use', 4502, 'too_many_errors', () => '{'],
    ['it asked too much', 4503, 'rate_limited', (rid: number) => JSON.stringify({ rid, command: 'ping' })],
  ] as const)('is told in the log of who was closed because %s, and counted (%i)', async (_, code, reason, textOf) => {
    const client = await cluster.connect(0, `user-of-${code}`, 'notifications');
    const { connection } = client.frames[0]!['payload'] as { connection: string };
    for (let rid = 1; rid <= 1000; rid++) client.send(textOf(rid));
    expect(await client.closed).toEqual({ code, reason });
    const told = () => lines('connection closed').filter((line) => line['code'] === code);
    await waitFor(() => told().length > 0, { what: 'the line of the close' });
    expect(told()).toEqual([
      expect.objectContaining({ level: 'info', code, reason, user: `user-of-${code}`, connection }),
    ]);
    expect(await counted('closes', String(code))).toBe(1);
  });
});

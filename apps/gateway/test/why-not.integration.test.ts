import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { GatewayCluster, record, token } from './gateway-cluster.js';

let cluster: GatewayCluster;
let node: GatewayProcess;

beforeAll(async () => {
  cluster = await GatewayCluster.open({ topics: { notifications: { queueBytes: '8kb' } } });
  node = cluster.nodes[0]!;
}, 90_000);
afterAll(() => cluster?.close(), 60_000);

async function refusals(code: string): Promise<number> {
  const text = await (await fetch(`${node.httpUrl}/metrics`)).text();
  return Number(new RegExp(`^ws_gateway_websocket_refusals_total\\{code="${code}"\\} (\\d+)$`, 'm').exec(text)![1]);
}

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
});

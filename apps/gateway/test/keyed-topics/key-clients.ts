import { expect } from '@jest/globals';
import { WsClient, type Frame } from '@ws-gateway/testkit';
import { ADMIN_TOKEN } from '../admin/admin-client.js';
import { GatewayCluster, token } from '../gateway-cluster.js';

/** Opens two nodes with topics of keys of several kinds; the first one has the admin API. */
export function openKeyedCluster(): Promise<GatewayCluster> {
  const keyed = { format: 'json', map: { keyed: 'key' } };
  return GatewayCluster.open({
    nodes: [{ config: { admin: { token: ADMIN_TOKEN } } }, {}],
    topics: {
      quotes: { ...keyed, mode: 'latest', snapshot: true, tombstone: 'delete', keysPerConnection: 3 },
      board: { ...keyed, mode: 'latest', slow: 'conflate' },
      trades: { ...keyed, history: { size: 5 } },
      desks: { ...keyed, keyAccess: 'claim:desks' },
      ticks: { ...keyed, guests: true, history: { size: 0 } },
      named: { format: 'json', map: { keyed: 'value:/on' } },
      news: {},
    },
  });
}

export interface Row {
  readonly topic: string;
  readonly key?: string;
  readonly stream?: string;
  readonly epoch?: string;
  readonly offset?: number;
  readonly recovered?: boolean;
  readonly replayed?: number;
}

export async function open(
  cluster: GatewayCluster,
  query: string,
  options: { at?: number; claims?: object } = {},
): Promise<WsClient> {
  const { at = 0, claims = {} } = options;
  return WsClient.open(cluster.url(at, `token=${token('ann', { ...claims })}&${query}`));
}

export async function rows(client: WsClient): Promise<Row[]> {
  return rowsOf(await client.next('connected'));
}

export function rowsOf(frame: Frame): Row[] {
  expect(frame).toMatchObject({ status: 'ok' });
  return (frame['payload'] as { topics: Row[] }).topics;
}

export async function subscribe(client: WsClient, ...topics: unknown[]): Promise<Row[]> {
  return rowsOf(await client.request('subscribe', { topics }));
}

export async function refusal(client: WsClient, command: string, options: Record<string, unknown>): Promise<unknown> {
  const { status, payload } = await client.request(command, options);
  return [status, (payload as { code: string }).code];
}

/** The next frames of the topic, as key and payload. */
export async function pushes(client: WsClient, topic: string, count: number): Promise<unknown[]> {
  const frames: unknown[] = [];
  while (frames.length < count) {
    const { key, payload } = await client.next(topic);
    frames.push([key, payload]);
  }
  return frames;
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WsClient } from '@ws-gateway/testkit';
import { token, type GatewayCluster } from '../gateway-cluster.js';
import { SseClient } from '../sse/sse-client.js';
import { open, openKeyedCluster, pushes, rows } from './key-clients.js';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await openKeyedCluster();
}, 60_000);
afterAll(() => cluster.close());

describe('keys by server-sent events', () => {
  const query = (keys: string) => `/sse?token=${token('ann')}&topics=trades&keys.trades=${keys}`;

  it('come as frames, and go on behind the last event on another node', async () => {
    const first = await SseClient.open(cluster.nodes[0]!.httpUrl + query('S1,S2'));
    const connected = await first.next('connected');
    expect(JSON.parse(connected.data)).toMatchObject({ payload: { topics: [{ key: 'S1' }, { key: 'S2' }] } });
    await cluster.produce('trades', { key: 'S1', value: 1 });
    const { id, data } = await first.next('trades');
    expect(JSON.parse(data)).toMatchObject({ key: 'S1', payload: 1, offset: 1 });
    first.close();
    await cluster.produce('trades', { key: 'S2', value: 2 });
    const second = await SseClient.open(cluster.nodes[1]!.httpUrl + query('S1,S2'), { 'last-event-id': id });
    expect(JSON.parse((await second.next('connected')).data)).toMatchObject({
      payload: {
        topics: [
          { key: 'S1', recovered: true },
          { key: 'S2', recovered: true },
        ],
      },
    });
    expect(JSON.parse((await second.next('trades')).data)).toMatchObject({ key: 'S2', payload: 2 });
    second.close();
  });

  it('are refused by HTTP as for WebSockets', async () => {
    const refused = await SseClient.refused(`${cluster.nodes[0]!.httpUrl}/sse?token=${token('ann')}&topics=trades`);
    expect(refused).toMatchObject({ status: 400, error: { code: 'bad_request' } });
  });
});

describe('keys by the subprotocol wsg.v1', () => {
  it('are refused by a frame and the close code of the status', async () => {
    const url = (query: string) => cluster.url(0, `token=${token('ann')}&${query}`);
    for (const [query, code, http] of [
      ['topics=quotes&keys.quotes=a,b,c,d', 'too_many_keys', 400],
      ['topics=desks&keys.desks=emea', 'key_forbidden', 403],
    ] as const) {
      const client = await WsClient.open(url(query), { protocols: ['wsg.v1'] });
      expect(await client.next('refused')).toMatchObject({ payload: { code, http } });
      expect(await client.closed).toEqual({ code: 4200 + http, reason: code });
    }
  });
});

describe('a client that reads too slowly', () => {
  it('gets the newest value of each key where the topic conflates, and nothing between', async () => {
    const client = await open(cluster, 'topics=board&keys.board=one,two');
    await rows(client);
    client.pause();
    const fill = 'x'.repeat(60_000);
    const record = (key: string, n: number) => ({ key, value: { n, fill }, partition: 0 });
    for (let n = 1; n <= 200; n += 10) {
      const batch = Array.from({ length: 10 }, (_, at) => record((n + at) % 2 === 0 ? 'two' : 'one', n + at));
      await cluster.produce('board', ...batch);
    }
    // Another client gets the last one: then the slow one's have been put away.
    const other = await open(cluster, 'topics=board&keys.board=two');
    await cluster.produce('board', record('two', 201));
    while (((await other.next('board'))['payload'] as { n: number }).n < 201);
    client.resume();
    const newest = new Map<unknown, number>();
    let count = 0;
    while (newest.get('two') !== 201 || newest.get('one') !== 199) {
      const [[key, payload]] = (await pushes(client, 'board', 1)) as [[string, { n: number }]];
      expect(payload.n).toBeGreaterThan(newest.get(key) ?? 0);
      newest.set(key, payload.n);
      count++;
    }
    expect(count).toBeLessThan(201);
    await client.close();
    await other.close();
  });
});

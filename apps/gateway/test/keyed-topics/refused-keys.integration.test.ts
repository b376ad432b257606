import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WsClient } from '@ws-gateway/testkit';
import { token, type GatewayCluster } from '../gateway-cluster.js';
import { open, openKeyedCluster, refusal, subscribe } from './key-clients.js';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await openKeyedCluster();
}, 60_000);
afterAll(() => cluster.close());

describe('requests for keys that cannot be met', () => {
  it.each([
    ['none of a topic of keys', 'topics=trades', 400, 'bad_request'],
    ['empty ones', 'topics=trades&keys.trades=,', 400, 'bad_request'],
    ['keys of a topic that has none', 'topics=news&keys.news=a', 400, 'bad_request'],
    ['keys of a topic that is not asked for', 'topics=news&keys.trades=a', 400, 'bad_request'],
    ['what cannot be a key', 'topics=trades&keys.trades=a%00b', 400, 'bad_request'],
    ['too long a key', `topics=trades&keys.trades=${'x'.repeat(129)}`, 400, 'bad_request'],
    [
      'a position of a key that is not asked for',
      'topics=trades&keys.trades=a&recover=trades%2Fk%2Fb:e:1',
      400,
      'bad_request',
    ],
    ['a position by the bare name of the topic', 'topics=trades&keys.trades=a&recover=trades:e:1', 400, 'bad_request'],
    ['too many', 'topics=quotes&keys.quotes=a,b,c,d', 400, 'too_many_keys'],
    ['a key that the token does not list', 'topics=desks&keys.desks=emea', 403, 'key_forbidden'],
    ['keys of no topic at all', 'topics=nope&keys.nope=a', 400, 'unknown_topic'],
  ])('at the handshake: %s', async (_, query, status, code) => {
    const refused = await WsClient.refused(cluster.url(0, `token=${token('ann')}&${query}`));
    expect(refused).toMatchObject({ status, body: { error: { code } } });
  });

  it.each([
    ['none of a topic of keys', ['trades'], 'error', 'bad_request'],
    ['an empty list', [{ topic: 'trades', keys: [] }], 'error', 'bad_request'],
    ['what is no list', [{ topic: 'trades', keys: 'A' }], 'error', 'bad_request'],
    ['numbers', [{ topic: 'trades', keys: [1] }], 'error', 'bad_request'],
    ['keys of a topic that has none', [{ topic: 'news', keys: ['a'] }], 'error', 'bad_request'],
    ['a position of the topic', [{ topic: 'trades', keys: ['a'], epoch: 'e', offset: 1 }], 'error', 'bad_request'],
    [
      'a position of another key',
      [{ topic: 'trades', keys: ['a'], positions: { b: { epoch: 'e', offset: 1 } } }],
      'error',
      'bad_request',
    ],
    ['half a position', [{ topic: 'trades', keys: ['a'], positions: { a: { epoch: 'e' } } }], 'error', 'bad_request'],
    ['too many', [{ topic: 'quotes', keys: ['a', 'b', 'c', 'd'] }], 'forbidden', 'too_many_keys'],
    [
      'too many in parts',
      [
        { topic: 'quotes', keys: ['a', 'b'] },
        { topic: 'quotes', keys: ['c', 'd'] },
      ],
      'forbidden',
      'too_many_keys',
    ],
    ['a key that the token does not list', [{ topic: 'desks', keys: ['emea'] }], 'forbidden', 'key_forbidden'],
  ])('by command: %s', async (_, topics, status, code) => {
    const client = await open(cluster, '');
    await client.next('connected');
    expect(await refusal(client, 'subscribe', { topics })).toEqual([status, code]);
    await client.close();
  });

  it('count the keys subscribed before, and leave those as they were', async () => {
    const client = await open(cluster, 'topics=quotes&keys.quotes=l1,l2');
    await client.next('connected');
    const more = { topics: [{ topic: 'quotes', keys: ['l3', 'l4'] }] };
    expect(await refusal(client, 'subscribe', more)).toEqual(['forbidden', 'too_many_keys']);
    expect(await subscribe(client, { topic: 'quotes', keys: ['l1', 'l2', 'l3'] })).toHaveLength(3);
    await client.request('unsubscribe', { topics: [{ topic: 'quotes', keys: ['l1'] }] });
    expect(await subscribe(client, { topic: 'quotes', keys: ['l4'] })).toHaveLength(1);
    await client.close();
  });
});

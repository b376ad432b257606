import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor, type ProducedRecord, type WsClient } from '@ws-gateway/testkit';
import { GatewayCluster } from './gateway-cluster.js';

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.open({
    topics: {
      payments: {
        format: 'json',
        map: { user: ['value:/account/id', 'key'], id: 'header:event-id', type: 'value:/kind' },
        when: [{ field: 'value:/status', in: ['settled', 'refunded'] }],
        tombstone: 'skip',
      },
      changes: { format: 'debezium', map: { user: 'row:/owner' }, tombstone: 'skip' },
      events: { format: 'cloudevents' },
      lines: { format: 'text', map: { user: 'key' } },
      prices: { format: 'json', map: { user: 'key' }, mode: 'latest', snapshot: true, tombstone: 'delete' },
    },
  });
}, 60_000);
afterAll(() => cluster.close());

/** What a client of the topic is sent for one record. */
async function arrived(topic: string, user: string, record: ProducedRecord): Promise<Record<string, unknown>> {
  const client = await cluster.connect(0, user, topic);
  await cluster.produce(topic, record);
  const frame = await client.next(({ event }) => event === topic);
  await client.close();
  return frame;
}

async function metric(name: string): Promise<string | undefined> {
  const text = await (await fetch(`${cluster.nodes[0]!.httpUrl}/metrics`)).text();
  return text.split('\n').find((line) => line.startsWith(name));
}

describe('records as back-ends write them reach their users by configuration alone', () => {
  it('plain JSON: the user is a member, or the key', async () => {
    const value = { account: { id: 'ann' }, status: 'settled', kind: 'paid' };
    const record = { key: 'k1', value, headers: { 'event-id': 'e-1' } };
    expect(await arrived('payments', 'ann', record)).toMatchObject({ id: 'e-1', type: 'paid', payload: value });
    const byKey = { key: 'bea', value: { status: 'refunded' } };
    expect(await arrived('payments', 'bea', byKey)).toMatchObject({ user_id: 'bea', payload: { status: 'refunded' } });
  });

  it('a change of a row by Debezium', async () => {
    const value = { schema: {}, payload: { op: 'u', before: null, after: { owner: 'cid', n: 1 }, ts_ms: 1 } };
    const frame = await arrived('changes', 'cid', { key: '{"payload":{"id":1}}', value });
    expect(frame).toMatchObject({ type: 'updated', payload: { owner: 'cid', n: 1 } });
  });

  it('a CloudEvent in its structured and in its binary form', async () => {
    const value = { specversion: '1.0', id: 'e-2', type: 'paid', source: '/s', subject: 'dan', data: { n: 2 } };
    expect(await arrived('events', 'dan', { key: null, value })).toMatchObject({ id: 'e-2', payload: { n: 2 } });
    const headers = { ce_specversion: '1.0', ce_id: 'e-3', ce_type: 'paid', ce_subject: 'eve' };
    expect(await arrived('events', 'eve', { key: null, value: { n: 3 }, headers })).toMatchObject({
      id: 'e-3',
      payload: { n: 3 },
    });
  });

  it('plain text', async () => {
    const record = { key: 'fay', value: Buffer.from('hello "you"') };
    expect(await arrived('lines', 'fay', record)).toMatchObject({ payload: 'hello "you"' });
  });

  it('records that when does not want, and tombstones that are skipped, are counted and nothing else', async () => {
    const record = (status: string): ProducedRecord => ({ key: 'gil', value: { status } });
    const client = await cluster.connect(0, 'gil', 'payments');
    const skippedName = 'ws_gateway_kafka_records_skipped_total{topic="payments"}';
    const before = Number((await metric(skippedName))?.split(' ')[1]);
    await cluster.produce('payments', record('draft'), { key: 'gil', value: null }, record('settled'));
    expect(await client.next(({ event }) => event === 'payments')).toMatchObject({ payload: { status: 'settled' } });
    await waitFor(async () => Number((await metric(skippedName))?.split(' ')[1]) === before + 2);
    const letters = `ws_gateway_kafka_dead_letters_total{topic="payments",reason="empty"}`;
    expect(await metric(letters)).toBe(`${letters} 0`);
    await client.close();
  });
});

describe('a tombstone that deletes', () => {
  async function newest(client: WsClient): Promise<Record<string, unknown>> {
    return client.next(({ event }) => event === 'prices');
  }

  it('reaches subscribers and those who resume from before it, and leaves no snapshot', async () => {
    const first = await cluster.connect(0, 'hal', 'prices');
    await cluster.produce('prices', { key: 'hal', value: { price: 1 } });
    const priced = await newest(first);
    await cluster.produce('prices', { key: 'hal', value: null });
    const deletion = { status: 'delete', payload: null, user_id: 'hal', offset: 2 };
    expect(await newest(first)).toMatchObject(deletion);
    await first.close();

    const position = `prices:${String(priced['epoch'])}:${String(priced['offset'])}`;
    const returning = await cluster.connect(0, 'hal', 'prices', `&recover=${encodeURIComponent(position)}`);
    expect(await newest(returning)).toMatchObject(deletion);
    await returning.close();

    const fresh = await cluster.connect(0, 'hal', 'prices');
    await cluster.produce('prices', { key: 'hal', value: { price: 2 } });
    expect(await newest(fresh)).toMatchObject({ status: 'update', payload: { price: 2 }, offset: 3 });
    await fresh.close();
  });

  it('on user-blocks lets the user of its key come back', async () => {
    await cluster.produce('user-blocks', { key: 'ian', value: { user_id: 'ian', payload: { blocked: true } } });
    const status = async (): Promise<number> => {
      const client = await cluster.connect(0, 'ian', 'lines').catch((error: unknown) => error as Error);
      if (client instanceof Error) return 403;
      await client.close();
      return 101;
    };
    await waitFor(async () => (await status()) === 403);
    await cluster.produce('user-blocks', { key: 'ian', value: null });
    await waitFor(async () => (await status()) === 101);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { createTopics, produce, startGateway, startRedis, uniqueName, waitFor, WsClient } from '@ws-gateway/testkit';
import { record, token } from '../gateway-cluster.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Makes a topic that blocks users, and what starts nodes of one group that read it. */
async function blockingTopic() {
  const group = uniqueName('blocks');
  const kafkaTopic = `${group}-user-blocks`;
  await createTopics([kafkaTopic, `${group}-notifications`], 2);
  const config = {
    kafka: { groupId: group, topics: ['user-blocks', 'notifications'] },
    redis: { keyPrefix: group },
    server: { drain: { duration: '200ms', deadline: '10s' } },
    topics: { 'user-blocks': { kafkaTopic }, notifications: { kafkaTopic: `${group}-notifications` } },
  };
  return {
    write: (user: string, payload: object) => produce(kafkaTopic, [record(user, payload)]),
    async start(own: Readonly<Record<string, unknown>>) {
      const node = await startGateway({ config: { ...config, ...own } });
      cleanups.push(() => node.stop());
      return {
        url: (user: string) => `${node.wsUrl}/ws?token=${token(user)}`,
        stop: () => node.stop(),
      };
    },
  };
}

async function refused(url: string): Promise<boolean> {
  const answer = await WsClient.refused(url).catch(() => null);
  return answer?.status === 403;
}

describe('blocks that the store has forgotten', () => {
  // Fails when nobody reads the topic again: whoever was blocked walks in.
  it('are read again from Kafka after Redis came back empty, the lifted ones and those before the group left out', async () => {
    const redis = await startRedis();
    let server = redis;
    cleanups.push(() => server.stop());
    const topic = await blockingTopic();
    await topic.write('before-us', { blocked: true });
    const node = await topic.start({ redis: { keyPrefix: uniqueName('blocks'), addr: redis.address } });
    await topic.write('ann', { blocked: true, reason: 'fraud' });
    await topic.write('bob', { blocked: true });
    await topic.write('bob', { blocked: false });
    await topic.write('cid', { blocked: true });
    await waitFor(() => refused(node.url('cid')), { what: 'cid to be blocked' });
    const bob = await WsClient.open(node.url('bob'));

    await redis.kill();
    server = await startRedis({ port: redis.port });
    await waitFor(() => refused(node.url('cid')), { what: 'cid to be blocked again' });
    await waitFor(() => refused(node.url('ann')), { what: 'ann to be blocked again' });
    const free = await WsClient.open(node.url('before-us'));
    await free.next('connected');
    // Blocks are still in force afterwards: a lift is applied, and a barrier shows that bob's socket was left alone.
    await topic.write('ann', { blocked: false });
    await waitFor(async () => !(await refused(node.url('ann'))), { what: 'ann to be free' });
    expect(await bob.request('ping')).toMatchObject({ status: 'ok' });
  }, 60_000);

  it('by the memory engine are read again at its next start', async () => {
    const topic = await blockingTopic();
    const first = await topic.start({ engine: 'memory' });
    await topic.write('ann', { blocked: true });
    await waitFor(() => refused(first.url('ann')), { what: 'ann to be blocked' });
    await first.stop();
    const second = await topic.start({ engine: 'memory' });
    await waitFor(() => refused(second.url('ann')), { what: 'ann to be blocked again' });
  }, 60_000);
});

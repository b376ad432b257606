import { afterEach, describe, expect, it } from '@jest/globals';
import { rm } from 'node:fs/promises';
import {
  createTopics,
  newDataDir,
  produce,
  startGateway,
  startRedis,
  uniqueName,
  waitFor,
  WsClient,
} from '@ws-gateway/testkit';
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
        restored: () =>
          waitFor(() => node.logs.filter(({ message }) => message === 'blocks read again').length === 2, {
            what: 'blocks to be read again',
          }),
        admin: async (method: 'POST' | 'DELETE', user: string) => {
          const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
          const answer = await fetch(`${node.httpUrl}/api/blocks/${user}`, { method, headers });
          expect([method, user, answer.status]).toEqual([method, user, 200]);
        },
      };
    },
  };
}

/** Long enough for the configuration's rules. */
const ADMIN_TOKEN = 'an-admin-token-of-sufficient-length';

async function refused(url: string): Promise<boolean> {
  const answer = await WsClient.refused(url).catch(() => null);
  return answer?.status === 403;
}

describe('blocks that the store has forgotten', () => {
  // Fails when nobody reads the topic again: whoever was blocked walks in.
  it('are read again from Kafka after Redis came back empty, the lifted ones left out, those from before the group among them', async () => {
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
    await waitFor(() => refused(node.url('before-us')), {
      what: 'who was blocked before the group began to be so again',
    });
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

  // A Redis that was started again was taken for an empty one, and the block of the topic set over the unblock.
  it('by a record stay lifted by the admin API when Redis is started again with its data', async () => {
    const dataDir = newDataDir();
    let redis = await startRedis({ dataDir });
    cleanups.push(
      () => rm(dataDir, { recursive: true, force: true }),
      () => redis.stop(),
    );
    const topic = await blockingTopic();
    const own = { redis: { keyPrefix: uniqueName('blocks'), addr: redis.address }, admin: { token: ADMIN_TOKEN } };
    const node = await topic.start(own);
    await topic.write('ann', { blocked: true });
    await topic.write('bob', { blocked: true });
    for (const user of ['ann', 'bob']) await waitFor(() => refused(node.url(user)), { what: `${user} to be blocked` });
    await node.admin('DELETE', 'ann');
    const ann = await WsClient.open(node.url('ann'));
    await ann.next('connected');

    await redis.stop();
    redis = await startRedis({ port: redis.port, dataDir });
    // A block that comes behind those that are read again, and is in force, shows that they were.
    await topic.write('cid', { blocked: true });
    await waitFor(() => refused(node.url('cid')), { timeoutMs: 30_000, what: 'cid to be blocked' });
    await node.restored();
    expect(await refused(node.url('bob'))).toBe(true);
    expect(await refused(node.url('ann'))).toBe(false);
    expect(await ann.request('ping')).toMatchObject({ status: 'ok' });
  }, 90_000);

  it('by the admin API hold after Redis came back empty, and those it lifted do not', async () => {
    let redis = await startRedis();
    cleanups.push(() => redis.stop());
    const topic = await blockingTopic();
    const own = { redis: { keyPrefix: uniqueName('blocks'), addr: redis.address }, admin: { token: ADMIN_TOKEN } };
    const node = await topic.start(own);
    await topic.write('ann', { blocked: true });
    await waitFor(() => refused(node.url('ann')), { what: 'ann to be blocked' });
    const bob = await WsClient.open(`${node.url('bob')}&topics=user-blocks`);
    await node.admin('POST', 'bob');
    expect(await bob.next('user-blocks')).toMatchObject({ payload: { blocked: true } });
    expect(await bob.closed).toMatchObject({ code: 4500 });
    await node.admin('DELETE', 'ann');
    await redis.kill();
    redis = await startRedis({ port: redis.port });
    await waitFor(() => refused(node.url('bob')), { timeoutMs: 30_000, what: 'bob to be blocked again' });
    expect(await refused(node.url('ann'))).toBe(false);
  }, 90_000);
});

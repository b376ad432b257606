import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createTopics, produce, testBrokers, uniqueName, WsClient, type GatewayProcess } from '@ws-gateway/testkit';
import { oneCluster, startExample, stopAll, token } from './example.js';

const ORIGIN = { headers: { origin: 'http://localhost:5173' } };
const kafkaTopic = uniqueName('react');

let node: GatewayProcess;
beforeAll(async () => {
  await createTopics([kafkaTopic], 1);
  node = await startExample('react', {
    ...oneCluster(),
    WSGATEWAY_TOPICS_NOTIFICATIONS_KAFKA_TOPIC: kafkaTopic,
    WSGATEWAY_KAFKA_GROUP_ID: kafkaTopic,
    KAFKA_BROKERS: testBrokers(),
  });
}, 90_000);
afterAll(() => stopAll(node), 30_000);

const url = (query = ''): string => `${node.wsUrl}/ws?token=${token('u1')}&topics=notifications${query}`;
const write = (title: string) => produce(kafkaTopic, [{ key: 'u1', value: { user_id: 'u1', payload: { title } } }]);

it('the page gets a notification, and after a break what was written meanwhile', async () => {
  const page = await WsClient.open(url(), ORIGIN);
  await page.next('connected');
  await write('first');
  const { stream, epoch, offset } = await page.next('notifications');
  await page.close();
  await write('meanwhile');
  const back = await WsClient.open(url(`&recover=${String(stream)}:${String(epoch)}:${String(offset)}`), ORIGIN);
  expect(await back.next('notifications')).toMatchObject({ payload: { title: 'meanwhile' } });
  await back.close();
});

it('a page of another origin is refused', async () => {
  const refused = await WsClient.refused(url(), { headers: { origin: 'http://localhost:5174' } });
  expect(refused).toMatchObject({ status: 403, body: { error: { code: 'origin_forbidden' } } });
});

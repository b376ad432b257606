import { afterEach, expect, it } from '@jest/globals';
import {
  createTopics,
  produce,
  RestrictedKafka,
  startGateway,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { record, token } from '../gateway-cluster.js';
import { scale } from './scale.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A gateway that may read the topics `kept` and `withdrawn`, and a client of both. */
async function scene() {
  const kafka = await RestrictedKafka.start();
  cleanups.push(() => kafka.stop());
  const { brokers } = kafka;
  const group = uniqueName('rights');
  await createTopics(['kept', 'withdrawn'], 1, { brokers });
  await Promise.all([kafka.allowGroup(group), kafka.allow('kept'), kafka.allow('withdrawn')]);
  const gateway = await startGateway({
    config: {
      kafka: {
        bootstrapServers: kafka.loginBrokers,
        groupId: group,
        topics: ['kept', 'withdrawn'],
        sasl: RestrictedKafka.login,
      },
      redis: { keyPrefix: group },
      topics: { kept: { kafkaTopic: 'kept' }, withdrawn: { kafkaTopic: 'withdrawn' } },
      backends: {},
    },
  });
  cleanups.push(() => gateway.stop());
  const client = await WsClient.open(`${gateway.wsUrl}/ws?token=${token('u1')}&topics=kept,withdrawn`);
  await client.next('connected');
  const send = (topic: string, n: number) => produce(topic, [record('u1', { topic, n })], { brokers });
  const got = (topic: string): unknown[] =>
    client.frames
      .map(({ payload }) => payload as { topic?: string; n?: number } | null)
      .filter((p) => p?.topic === topic)
      .map((p) => p!.n);
  return { kafka, gateway, send, got };
}

async function readiness({ httpUrl }: GatewayProcess): Promise<{ status: number; warnings: readonly string[] }> {
  const answer = await fetch(`${httpUrl}/ready`);
  const { warnings = [] } = (await answer.json()) as { warnings?: readonly string[] };
  return { status: answer.status, warnings };
}

// Fails when a refusal for one topic is taken for an outage of all, or the topic is not asked for again.
it(
  'a topic whose rights are taken away is named, the others flow, and when they are back it goes on where it was',
  async () => {
    const { kafka, gateway, send, got } = await scene();
    await send('kept', 1);
    await send('withdrawn', 1);
    await waitFor(() => got('kept').length === 1 && got('withdrawn').length === 1, { what: 'both topics' });
    await kafka.forbid('withdrawn');
    await waitFor(async () => (await readiness(gateway)).warnings.includes('topic:withdrawn:forbidden'), {
      what: 'the warning',
    });
    expect((await readiness(gateway)).status).toBe(200);
    expect(
      gateway.logs.filter((line) => line['level'] === 'warn' && JSON.stringify(line).includes('withdrawn')),
    ).not.toEqual([]);
    await send('withdrawn', 2);
    await send('kept', 2);
    await waitFor(() => got('kept').length === 2, { what: 'the other topic' });
    expect(got('withdrawn')).toEqual([1]);
    await kafka.allow('withdrawn');
    await waitFor(() => got('withdrawn').length > 1, { what: 'the topic again' });
    await send('withdrawn', 3);
    await send('kept', 3);
    await waitFor(() => got('kept').length >= 3 && got('withdrawn').length >= 3, { what: 'both topics' });
    expect([got('kept'), got('withdrawn')]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    await waitFor(async () => !(await readiness(gateway)).warnings.some((warning) => warning.includes('withdrawn')), {
      what: 'the end of the warning',
    });
  },
  scale.timeoutMs,
);

// The end was noticed by the next record only, and a partition that gets none kept the topic in the warnings for good.
it(
  'a topic whose rights are back is named no more although nothing is written to it',
  async () => {
    const { kafka, gateway } = await scene();
    const warnings = async () => (await readiness(gateway)).warnings.join();
    await kafka.forbid('withdrawn');
    await waitFor(async () => (await warnings()) === 'topic:withdrawn:forbidden', { what: 'the warning' });
    await kafka.allow('withdrawn');
    await waitFor(async () => (await warnings()) === '', { what: 'the end of the warning', timeoutMs: 60_000 });
  },
  scale.timeoutMs,
);

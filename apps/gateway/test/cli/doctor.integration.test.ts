import { describe, expect, test } from '@jest/globals';
import { createTopics, freePort, TEST_SECRET, testBrokers, testRedisUrl, uniqueName } from '@ws-gateway/testkit';
import { configFile, run } from './running.js';

interface Check {
  readonly check: string;
  readonly state: string;
  readonly detail: string;
}

async function doctor(config: object): Promise<{ code: number | null; checks: Map<string, Check> }> {
  const file = configFile({ auth: { secret: TEST_SECRET }, grpc: { enabled: false }, ...config });
  const { code, stdout } = await run(['doctor', '-c', file, '--json']);
  const { checks } = JSON.parse(stdout) as { checks: Check[] };
  return { code, checks: new Map(checks.map((one) => [one.check, one])) };
}

const redis = { addr: new URL(testRedisUrl()).host };

describe('doctor', () => {
  test('says that all is well, and exits with 0 in spite of warnings', async () => {
    const [topic, groupId] = [uniqueName('doctor'), uniqueName('doctor')];
    await createTopics([topic, `${groupId}-dlq`], 1);
    const kafka = { bootstrapServers: testBrokers(), groupId, topics: [topic] };
    const { code, checks } = await doctor({ redis, kafka, grpc: { enabled: true } });
    expect(checks.get('redis')).toMatchObject({ state: 'ok', detail: expect.stringMatching(/version \d/) });
    expect(checks.get('redis clock')).toMatchObject({ state: 'ok' });
    expect(checks.get('kafka topics')).toMatchObject({ state: 'ok', detail: 'all 2 exist and may be described' });
    expect(checks.get('grpc')).toMatchObject({ state: 'warning', detail: expect.stringContaining('grpc.token') });
    expect(code).toBe(0);
  });

  test('names what is missing and what cannot be reached, and exits with 1', async () => {
    const topic = uniqueName('missing');
    const missing = await doctor({
      redis,
      kafka: { bootstrapServers: testBrokers(), groupId: topic, topics: [topic] },
    });
    expect(missing.checks.get('kafka topics')).toMatchObject({
      state: 'fault',
      detail: `missing: ${topic}, ${topic}-dlq`,
    });
    expect(missing.code).toBe(1);
    const port = await freePort();
    const away = await doctor({
      redis: { addr: `127.0.0.1:${port}` },
      kafka: { bootstrapServers: 'nosuchkafka.invalid:9092' },
    });
    expect(away.checks.get('redis')).toMatchObject({
      state: 'fault',
      detail: expect.stringContaining(`127.0.0.1:${port}: `),
    });
    expect(away.checks.get('kafka')).toMatchObject({ state: 'fault', detail: expect.stringContaining('ENOTFOUND') });
    expect(away.code).toBe(1);
  });

  test('shows a table to people', async () => {
    const file = configFile({
      auth: { secret: TEST_SECRET },
      engine: 'memory',
      role: 'all',
      kafka: { topics: [] },
      grpc: { enabled: false },
    });
    const { code, stdout } = await run(['doctor', '-c', file]);
    expect(stdout).toMatch(/^CHECK +STATE +DETAIL\nredis +ok +not used: engine memory\n/);
    expect(code).toBe(0);
  });
});

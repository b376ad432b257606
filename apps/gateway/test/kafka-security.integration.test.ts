import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  committedOffsets,
  createTopics,
  produce,
  readTopic,
  SecureKafka,
  startGateway,
  uniqueName,
  waitFor,
  WsClient,
  type Config,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { record, token } from './gateway-cluster.js';

const PATIENCE = { timeoutMs: 30_000 };

let kafka: SecureKafka;
let gateway: GatewayProcess | undefined;

beforeAll(async () => {
  kafka = await SecureKafka.start();
}, 120_000);
afterEach(async () => {
  await gateway?.kill();
  gateway = undefined;
}, 30_000);
afterAll(() => kafka?.stop(), 30_000);

interface Group {
  readonly groupId: string;
  readonly topic: string;
}

async function newGroup(): Promise<Group> {
  const groupId = uniqueName('secure');
  const topic = `${groupId}-notifications`;
  await createTopics([topic], 1, { brokers: kafka.brokers });
  return { groupId, topic };
}

async function open({ groupId, topic }: Group, access: Config, ready?: false): Promise<GatewayProcess> {
  const config = {
    kafka: { groupId, topics: ['notifications'], ...access },
    topics: { notifications: { kafkaTopic: topic } },
    redis: { keyPrefix: groupId },
  };
  gateway = await startGateway({ config, ...(ready === false ? { ready } : {}) });
  return gateway;
}

function login(mechanism: string, user: { username: string; password: string }): Config {
  return {
    bootstrapServers: kafka.loginBrokers,
    tls: { enabled: true, caFile: kafka.caFile },
    sasl: { mechanism, ...user },
  };
}

function certificate(): Config {
  return {
    bootstrapServers: kafka.certificateBrokers,
    tls: { enabled: true, caFile: kafka.caFile, ...kafka.clientFiles },
  };
}

/** Checks that a good record reaches a socket, a bad one the dead letters, and that both are committed. */
async function expectEverything({ groupId, topic }: Group, { wsUrl }: GatewayProcess): Promise<void> {
  const brokers = { brokers: kafka.brokers };
  const client = await WsClient.open(`${wsUrl}/ws?token=${token('ann')}&topics=notifications`);
  await client.next('connected');
  await produce(topic, [{ value: 'not json' }, record('ann', 'hello')], brokers);
  expect(await client.next('notifications', 15_000)).toMatchObject({ payload: 'hello' });
  await waitFor(async () => (await committedOffsets(groupId, topic, brokers)).get(0) === 2, PATIENCE);
  const [letter] = await readTopic(`${groupId}-dlq`, brokers);
  expect(letter).toMatchObject({ value: 'not json', headers: { 'dlq-error': 'not_json', 'dlq-topic': topic } });
  await client.close();
}

const readiness = async ({ httpUrl }: GatewayProcess) => (await fetch(`${httpUrl}/ready`)).text();
const complaints = ({ logs }: GatewayProcess) =>
  logs.filter(({ message }) => message === 'kafka not usable, trying on');

describe('Kafka behind TLS', () => {
  it.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
    'and %s is consumed, committed and written to',
    async (name) => {
      const group = await newGroup();
      await expectEverything(group, await open(group, login(name, SecureKafka.user)));
    },
    90_000,
  );

  it('that knows clients by their certificates is, too', async () => {
    const group = await newGroup();
    await expectEverything(group, await open(group, certificate()));
  }, 90_000);

  it('is not talked to when its authority is unknown, and that is said', async () => {
    const group = await newGroup();
    const { bootstrapServers, sasl } = login('plain', SecureKafka.user);
    const stranger = await open(group, { bootstrapServers, sasl, tls: { enabled: true } }, false);
    await waitFor(() => complaints(stranger).length > 0, PATIENCE);
    expect(JSON.stringify(complaints(stranger)[0])).toMatch(/certificate/i);
    expect(await readiness(stranger)).toBe('{"status":"unready","failing":["kafka"]}');
  }, 90_000);

  it('refuses a wrong password: that is said, the process goes on, and heals when the password is right', async () => {
    const group = await newGroup();
    const node = await open(group, login('scram-sha-512', SecureKafka.late), false);
    await waitFor(() => complaints(node).length > 0, PATIENCE);
    expect(complaints(node)[0]).toMatchObject({ level: 'error', code: 'authentication_failed' });
    expect(JSON.stringify(node.output)).not.toContain('secret');
    // No client is turned away for it: the open sockets stay.
    expect(await readiness(node)).toBe('{"status":"unready","failing":["kafka"]}');
    const client = await WsClient.open(`${node.wsUrl}/ws?token=${token('bob')}`);
    await client.next('connected');
    await client.close();
    await kafka.setPassword(SecureKafka.late);
    await waitFor(async () => (await readiness(node)) === '{"status":"ready"}', PATIENCE);
    await expectEverything(group, node);
    expect(complaints(node)).toHaveLength(1);
  }, 120_000);
});

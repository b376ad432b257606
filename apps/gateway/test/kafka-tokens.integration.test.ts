import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  createTopics,
  freePort,
  produce,
  startGateway,
  TokenKafka,
  TokenServer,
  uniqueName,
  waitFor,
  WsClient,
  type GatewayProcess,
} from '@ws-gateway/testkit';
import { configFile, run } from './cli/running.js';
import { record, token } from './gateway-cluster.js';

/** Long enough that a token is renewed before its end, short enough for several of them in a test. */
const LIFE_SECONDS = Number(process.env['WSGATEWAY_TEST_LOGIN_TOKEN_SECONDS'] ?? 12);
const PATIENCE = { timeoutMs: 30_000 };

let kafka: TokenKafka;
let gateway: GatewayProcess | undefined;

beforeAll(async () => {
  kafka = await TokenKafka.start(LIFE_SECONDS);
}, 120_000);
afterEach(async () => {
  await gateway?.kill();
  gateway = undefined;
  Object.assign(kafka.tokens, { forging: false, failingWith: null });
}, 30_000);
afterAll(() => kafka?.stop(), 30_000);

const login = (clientSecret: string = TokenServer.client.clientSecret) => ({
  mechanism: 'oauthbearer',
  oauth: { tokenUrl: `${kafka.tokens.url}/token`, clientId: TokenServer.client.clientId, clientSecret, scope: 'a b' },
});

async function open(sasl: object, ready?: false): Promise<{ node: GatewayProcess; topic: string }> {
  const groupId = uniqueName('tokens');
  const topic = `${groupId}-notifications`;
  await createTopics([topic, `${groupId}-dlq`], 3, { brokers: kafka.brokers });
  const config = {
    kafka: { bootstrapServers: kafka.tokenBrokers, groupId, topics: ['notifications'], sasl },
    topics: { notifications: { kafkaTopic: topic } },
    redis: { keyPrefix: groupId },
  };
  gateway = await startGateway({ config, ...(ready === false ? { ready } : {}) });
  return { node: gateway, topic };
}

const linesOf = ({ logs }: GatewayProcess, message: string) => logs.filter((line) => line['message'] === message);

describe('A login token of Kafka', () => {
  it('is asked for once by all connections of a process, renewed before its end, and nothing is lost meanwhile', async () => {
    const before = kafka.tokens.questions.length;
    const beganMs = performance.now();
    const { node, topic } = await open(login());
    const client = await WsClient.open(`${node.wsUrl}/ws?token=${token('ann')}&topics=notifications`);
    await client.next('connected');
    const asked = () => kafka.tokens.questions.slice(before);
    // One fetch for each half of a life, however many connections there are.
    const due = () => 1 + Math.floor((performance.now() - beganMs) / (LIFE_SECONDS * 500));
    expect(asked().length).toBeLessThanOrEqual(due());
    expect(asked()[0]!.form).toEqual({ grant_type: 'client_credentials', scope: 'a b' });
    const { brokers } = kafka;
    let sent = 0;
    while (asked().length < 4) {
      const batch = Array.from({ length: 20 }, () => record('ann', String(sent++)));
      await produce(topic, [...batch, { key: 'ann', value: 'not json' }], { brokers });
      for (let n = sent - batch.length; n < sent; n++) {
        expect(await client.next('notifications', 15_000)).toMatchObject({ payload: String(n) });
      }
    }
    expect(asked().length).toBeLessThanOrEqual(due());
    expect(linesOf(node, 'kafka not usable, trying on')).toEqual([]);
    expect(JSON.stringify(node.output)).not.toContain('token-secret');
    await client.close();
  }, 180_000);

  it('that the issuer does not give is named with the reason, by the log and by doctor', async () => {
    const { node } = await open(login('wrong-secret'), false);
    const said = 'kafka login token cannot be fetched, trying on';
    await waitFor(() => linesOf(node, said).length > 0, PATIENCE);
    const url = `${kafka.tokens.url}/token`;
    expect(linesOf(node, said)[0]).toMatchObject({
      level: 'error',
      url,
      code: 'login_token_refused',
      message: said,
      cause: `${url}: answered 401 {"error":"invalid_client"}`,
    });
    await waitFor(() => linesOf(node, 'kafka not usable, trying on').length > 0, PATIENCE);
    expect(linesOf(node, 'kafka not usable, trying on')[0]).toMatchObject({ code: 'authentication_failed' });
    const file = configFile({
      engine: 'memory',
      auth: { secret: 'a-secret-for-tests-of-sufficient-length' },
      kafka: { bootstrapServers: kafka.tokenBrokers, sasl: login('wrong-secret') },
    });
    const { code, stdout } = await run(['doctor', '-c', file]);
    expect(stdout).toMatch(/kafka +fault +.*answered 401 \{"error":"invalid_client"\}/);
    expect(code).toBe(1);
  }, 90_000);

  // A router begins with Kafka only when Redis is there.
  it('that the issuer does not give is named while Redis is away, too', async () => {
    const config = {
      ...{ kafka: { bootstrapServers: kafka.tokenBrokers, sasl: login('wrong-secret') } },
      redis: { addr: `127.0.0.1:${await freePort()}` },
    };
    gateway = await startGateway({ config, ready: false });
    const node = gateway;
    await waitFor(() => linesOf(node, 'kafka login token cannot be fetched, trying on').length > 0, PATIENCE);
    expect(linesOf(node, 'redis cannot be reached')).toHaveLength(1);
  }, 90_000);

  it('that the broker refuses is named, and the node heals when the next one is good', async () => {
    kafka.tokens.forging = true;
    const { node, topic } = await open(login(), false);
    await waitFor(() => linesOf(node, 'kafka not usable, trying on').length > 0, PATIENCE);
    const [line] = linesOf(node, 'kafka not usable, trying on');
    expect(line).toMatchObject({ level: 'error', code: 'authentication_failed' });
    expect(JSON.stringify(line)).toContain(
      `${kafka.tokenBrokers} refuses the login token: {\\"status\\":\\"invalid_token\\"`,
    );
    kafka.tokens.forging = false;
    await waitFor(async () => (await fetch(`${node.httpUrl}/ready`)).ok, PATIENCE);
    expect(linesOf(node, 'kafka usable again')).toHaveLength(1);
    const client = await WsClient.open(`${node.wsUrl}/ws?token=${token('bob')}&topics=notifications`);
    await client.next('connected');
    await produce(topic, [record('bob', 'healed')], { brokers: kafka.brokers });
    expect(await client.next('notifications', 15_000)).toMatchObject({ payload: 'healed' });
    await client.close();
  }, 120_000);

  it('is used on while the issuer is away', async () => {
    const { node, topic } = await open(login());
    kafka.tokens.failingWith = 503;
    await waitFor(() => linesOf(node, 'kafka login token cannot be fetched, trying on').length > 0, PATIENCE);
    const client = await WsClient.open(`${node.wsUrl}/ws?token=${token('cid')}&topics=notifications`);
    await client.next('connected');
    await produce(topic, [record('cid', 'still here')], { brokers: kafka.brokers });
    expect(await client.next('notifications', 15_000)).toMatchObject({ payload: 'still here' });
    kafka.tokens.failingWith = null;
    await waitFor(() => linesOf(node, 'kafka login token can be fetched again').length > 0, PATIENCE);
    expect(linesOf(node, 'kafka not usable, trying on')).toEqual([]);
    await client.close();
  }, 120_000);
});

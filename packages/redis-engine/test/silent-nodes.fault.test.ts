import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, expect, it } from '@jest/globals';
import { freezeRedis, redisAdmin, startRedis, TcpProxy, testRedisUrl, waitFor } from '@ws-gateway/testkit';
import { RecordingInbox } from '@ws-gateway/conformance/engine';
import type { AdmitRequest, NodeCommand } from '@ws-gateway/core';
import type { RedisEngine } from '../src/index.js';
import { createHarness, serverAt } from './harness.js';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An inbox that answers a doubt as an edge does. */
class AnsweringInbox extends RecordingInbox {
  engine: RedisEngine | null = null;

  override command(command: NodeCommand): void {
    super.command(command);
    if (command.command === 'probe') this.engine!.showLife();
  }
}

/** Node `far` finds Redis through a cable that can be cut, `near` needs none. */
async function twoNodes(url = testRedisUrl()) {
  const { createEngine } = await createHarness();
  const proxy = await TcpProxy.start({ port: serverAt(url).port });
  cleanups.push(() => proxy.stop());
  const start = async (node: string, port: number) => {
    const inbox = new AnsweringInbox();
    const engine = createEngine(node, { server: { host: '127.0.0.1', port } });
    inbox.engine = engine;
    await engine.start(inbox);
    cleanups.push(() => engine.stop());
    return { engine, inbox };
  };
  return { proxy, far: await start('far', proxy.port), near: await start('near', serverAt(url).port) };
}

const rules: Record<string, Partial<AdmitRequest>> = {
  'the only session': { sessions: { max: 1, policy: 'reject' } },
  'the only connection of an endpoint': { exclusive: 'reject' },
};

/** A connection under the rule. */
const asks = (connection: string, rule: string): AdmitRequest => ({
  connection,
  user: 'u1',
  endpoint: '/ws',
  sinceMs: Date.now(),
  streams: [],
  sessions: null,
  ...rules[rule],
});

it.each(Object.keys(rules))(
  'a node that is silent for three seconds holds %s no longer, and hears so',
  async (rule) => {
    const { proxy, far, near } = await twoNodes();
    expect((await far.engine.admit(asks('far-1', rule))).status).toBe('admitted');
    proxy.cut();
    expect((await near.engine.admit(asks('near-1', rule))).status).toBe('admitted');
    // The row is left for whoever tells of its end.
    expect(await near.engine.presence('u1')).toHaveLength(2);
    proxy.restore();
    const closes = () => far.inbox.commands.filter(({ command }) => command === 'close');
    await waitFor(() => closes().length > 0, { what: 'the old connection to be closed' });
    expect(closes()).toEqual([
      { command: 'close', user: 'u1', connection: 'far-1', close: { code: 4501, reason: 'session_replaced' } },
    ]);
    expect(near.inbox.commands.filter(({ command }) => command === 'close')).toEqual([]);
  },
);

it.each(Object.keys(rules))('a node that lives keeps %s, and shows it as soon as it is doubted', async (rule) => {
  const { far, near } = await twoNodes();
  expect((await far.engine.admit(asks('far-1', rule))).status).toBe('admitted');
  for (let time = 0; time < 5; time++) {
    expect((await near.engine.admit(asks('near-1', rule))).status).toMatch(/session_limit|already_connected/);
  }
  expect(await near.engine.presence('u1')).toMatchObject([{ connection: 'far-1' }]);
});

// All signs of life wait then, and the look of the one that asks may be the first to be answered.
it('nobody is silent while Redis stands still, nor as soon as it goes on', async () => {
  const redis = await startRedis();
  cleanups.push(() => redis.stop());
  const admin = redisAdmin(redis);
  cleanups.push(async () => admin.disconnect());
  const { far, near } = await twoNodes(`redis://${redis.address}`);
  const rule = 'the only session';
  expect((await far.engine.admit(asks('far-1', rule))).status).toBe('admitted');
  for (let time = 0; time < 2; time++) {
    const thaw = await freezeRedis(admin);
    const asked = near.engine.admit(asks('near-1', rule)).catch(({ code }: { code: string }) => ({ status: code }));
    await delay(4000);
    thaw();
    expect((await asked).status).toMatch(/session_limit|unavailable/);
    expect((await near.engine.admit(asks('near-1', rule))).status).toBe('session_limit');
  }
});

import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import type { Client } from '../src/index.js';
import { TestGateways, record, token, watch } from './test-gateways.js';
import { UpgradeCutter } from './upgrade-cutter.js';

/** Against real nodes, behind proxies that cut WebSockets. */

let gateways: TestGateways;
let proxies: UpgradeCutter[];
const clients: Client[] = [];

beforeAll(async () => {
  gateways = await TestGateways.open();
  proxies = await Promise.all(gateways.edges.map(({ port }) => UpgradeCutter.start(port)));
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await gateways?.close();
}, 60_000);

function open(user: string, options: Parameters<TestGateways['client']>[1] = {}): Client {
  const urls = proxies.map(({ port }) => `ws://127.0.0.1:${port}/ws`);
  const client = gateways.client(user, { url: urls, ...options });
  clients.push(client);
  return client;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1);

describe('a client to which WebSockets are cut', () => {
  it('falls back, and over a node that is killed and started again it gets every message once', async () => {
    const client = open('ann', { url: `ws://127.0.0.1:${proxies[0]!.port}/ws` });
    const { messages, payloads, events } = watch(client);
    await client.ready();
    expect(proxies[0]!.cut).toBeGreaterThanOrEqual(3);
    let written = 0;
    const produce = async (): Promise<void> => gateways.produce('notifications', record('ann', ++written));
    while (written < 50) await produce();
    await waitFor(() => messages.length >= 20);
    await gateways.edges[0]!.kill();
    while (written < 100) await produce();
    await gateways.restart(0);
    await waitFor(() => events.includes('recovered'));
    while (written < 150) await produce();
    await waitFor(() => messages.length >= written);
    expect(payloads()).toEqual(numbers(150));
    expect(events).not.toContain('lost');
  }, 90_000);

  it('goes to the other node when its own one is drained, and misses nothing', async () => {
    const client = open('bob');
    const { messages, payloads, events } = watch(client);
    const ends: unknown[] = [];
    client.on('disconnected', (end) => void ends.push(end));
    let node = '';
    client.on('connected', (connected) => void (node = connected.node));
    await client.ready();
    await gateways.produce('notifications', record('bob', 1));
    await waitFor(() => messages.length === 1);
    const at = gateways.edges.findIndex(({ logs }) => logs.some((line) => line['node'] === node));
    const gone = gateways.edges[at]!.stop();
    await gateways.produce('notifications', record('bob', 2));
    await waitFor(() => events.includes('recovered'));
    await gateways.produce('notifications', record('bob', 3));
    await waitFor(() => messages.length === 3);
    expect(payloads()).toEqual([1, 2, 3]);
    expect(ends).toEqual([{ code: expect.any(Number), reason: expect.stringMatching(/drain|reconnect/) }]);
    await gone;
    await gateways.restart(at);
  }, 90_000);

  it('is told that its user was blocked, and why the next one is not let in', async () => {
    const client = open('cid');
    await client.ready();
    await gateways.produce('user-blocks', record('cid', { blocked: true, reason: 'fraud' }));
    expect(await client.closed).toEqual({ why: 'gateway', code: 4500, reason: 'fraud' });
    const again = open('cid', { transports: ['sse'] });
    expect(await again.closed).toMatchObject({ why: 'refused', refusal: { code: 'user_blocked', reason: 'fraud' } });
  }, 60_000);

  it('brings a new token when the old one has expired', async () => {
    const seconds = (count: number): number => Math.floor(Date.now() / 1000) + count;
    const tokens = [token('dan', { exp: seconds(3) }), token('dan', { exp: seconds(3600) })];
    let asked = 0;
    const client = open('dan', { transports: ['sse'], token: () => tokens[Math.min(asked++, 1)]!, renewBeforeMs: 1 });
    const { messages, events } = watch(client);
    await client.ready();
    await waitFor(() => events.filter((name) => name === 'connected').length === 2);
    await gateways.produce('notifications', record('dan', 'renewed'));
    await waitFor(() => messages.length === 1);
    expect([asked, client.state]).toEqual([2, 'connected']);
  }, 60_000);

  it('is told of a topic that is not there', async () => {
    const client = open('eve', { transports: ['sse'] });
    await client.ready();
    await expect(client.subscribe('nope')).rejects.toMatchObject({ code: 'unknown_topic' });
    await client.ready();
    const wrong = open('eve', { transports: ['sse'], topics: ['nope'] });
    expect(await wrong.closed).toMatchObject({ why: 'refused', refusal: { code: 'unknown_topic' } });
  }, 60_000);
});

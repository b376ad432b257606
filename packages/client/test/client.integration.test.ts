import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TcpProxy, waitFor } from '@ws-gateway/testkit';
import type { Client } from '../src/index.js';
import { TestGateways, record, token, watch } from './test-gateways.js';

let gateways: TestGateways;
const clients: Client[] = [];

beforeAll(async () => {
  gateways = await TestGateways.open();
}, 90_000);
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});
afterAll(() => gateways?.close(), 60_000);

function open(...args: Parameters<TestGateways['client']>): Client {
  const client = gateways.client(...args);
  clients.push(client);
  return client;
}

/** Cuts whatever goes through it, as a network does. */
async function throughProxy(
  user: string,
  options: Parameters<TestGateways['client']>[1] = {},
): Promise<{ client: Client; proxy: TcpProxy }> {
  const proxy = await TcpProxy.start({ port: gateways.edges[0]!.port });
  const client = open(user, { url: [`ws://127.0.0.1:${proxy.port}/ws`, ...gateways.urls], ...options });
  return { client, proxy };
}

describe('a blocked user', () => {
  it('is told, closed for good, and does not come back', async () => {
    const client = open('hal', { topics: ['user-blocks', 'notifications'] });
    const { events, payloads } = watch(client);
    await client.ready();
    await gateways.produce('user-blocks', record('hal', { blocked: true, reason: 'fraud' }));
    expect(await client.closed).toEqual({ why: 'gateway', code: 4500, reason: 'fraud' });
    expect(payloads()).toEqual([{ blocked: true, reason: 'fraud' }]);
    expect(events).toEqual(['connected', 'disconnected', 'closed']);
    const again = open('hal');
    expect(await again.closed).toMatchObject({
      why: 'refused',
      code: 4500,
      reason: 'fraud',
      refusal: { code: 'user_blocked', http: 403, reason: 'fraud' },
    });
  });
});

describe('keys of a topic, named as their streams are', () => {
  const quote = (key: string, value: number) => gateways.produce('quotes', { key, value });

  it('hold over reconnects, with everything that was missed of each, until they are left', async () => {
    const { client, proxy } = await throughProxy('kim', { topics: ['notifications', 'quotes/k/A'] });
    const { messages, payloads, events } = watch(client);
    const ofB: unknown[] = [];
    client.on('quotes/k/B', ({ key, payload }) => void ofB.push([key, payload]));
    await client.ready();
    const rows = await client.subscribe(['quotes/k/B', 'quotes/k/a,b/€']);
    expect(rows.map(({ topic, key }) => [topic, key])).toEqual([
      ['quotes', 'B'],
      ['quotes', 'a,b/€'],
    ]);
    await quote('A', 1);
    await waitFor(() => messages.length === 1);
    proxy.cut();
    await quote('B', 2);
    await quote('a,b/€', 3);
    await waitFor(() => messages.length === 3);
    expect(ofB).toEqual([['B', 2]]);
    expect(events).not.toContain('lost');
    await client.unsubscribe('quotes/k/B');
    expect(Object.keys(client.positions())).not.toContain('quotes/k/B');
    await quote('B', 4);
    await quote('A', 5);
    await waitFor(() => messages.length === 4);
    expect(new Set(payloads())).toEqual(new Set([1, 2, 3, 5]));
  });

  it('go on from saved positions, and one too many is refused alone', async () => {
    const first = open('lea', { topics: ['quotes/k/S'] });
    await first.ready();
    await quote('S', 1);
    await waitFor(() => first.positions()['quotes/k/S']?.offset === 1);
    const positions = first.positions();
    await first.close();
    await quote('S', 2);
    const second = open('lea', { topics: ['quotes/k/S'], positions });
    const { payloads } = watch(second);
    await second.ready();
    await waitFor(() => payloads().length === 1);
    expect(payloads()).toEqual([2]);
    await expect(second.subscribe(['quotes/k/1', 'quotes/k/2', 'quotes/k/3'])).rejects.toMatchObject({
      code: 'too_many_keys',
    });
    expect(await second.subscribe([{ topic: 'quotes/k/1', epoch: 'other', offset: 0 }])).toMatchObject([
      { key: '1', recovered: false },
    ]);
    expect(second.topics).toEqual(['quotes/k/S', 'quotes/k/1']);
  });
});

describe('topics and rooms by command', () => {
  it('hold over reconnects, with everything that was missed', async () => {
    const { client, proxy } = await throughProxy('rita');
    const { messages, payloads, events } = watch(client);
    await client.subscribe('balance-updates');
    await client.enter('lobby');
    const say = (at: number) =>
      gateways.produce('notifications', {
        key: 'k',
        value: { payload: at },
        headers: { 'ws-audience': 'room:lobby' },
      });
    await say(1);
    await waitFor(() => messages.length === 1);
    proxy.cut();
    await say(2);
    await waitFor(() => events.filter((event) => event === 'connected').length === 2);
    await say(3);
    await waitFor(() => messages.length === 3);
    expect(payloads()).toEqual([1, 2, 3]);
    expect(events).not.toContain('lost');
    await gateways.produce('balance-updates', record('rita', { balance: 7 }));
    await waitFor(() => messages.length === 4);
    await client.leave('lobby');
    await client.unsubscribe('balance-updates');
    await say(4);
    await gateways.produce('balance-updates', record('rita', { balance: 8 }));
    await gateways.produce('notifications', record('rita', 'the barrier'));
    await waitFor(() => payloads().includes('the barrier'));
    expect(payloads()).toEqual([1, 2, 3, { balance: 7 }, 'the barrier']);
    await proxy.stop();
  });

  it('are refused one by one, not with the connection', async () => {
    const client = open('sue');
    await expect(client.subscribe('no-such-topic')).rejects.toMatchObject({ code: 'unknown_topic' });
    await expect(client.enter('no/room')).rejects.toMatchObject({ code: 'bad_request' });
    expect(await client.subscribe('notifications')).toMatchObject([{ topic: 'notifications' }]);
    expect(client.state).toBe('connected');
  });
});

describe('a network that swallows everything', () => {
  it('is left for another way in, and nothing is lost', async () => {
    // The gateway's shortest heartbeat is 8 s: too long for a test to wait for.
    const parse = (text: string): unknown => JSON.parse(text.replace(/"heartbeat_ms":\d+/, '"heartbeat_ms":300'));
    const { client, proxy } = await throughProxy('tom', { parse, connectTimeoutMs: 1_000 });
    const { messages, payloads, events } = watch(client);
    const ends: unknown[] = [];
    client.on('disconnected', (end) => void ends.push(end));
    await client.ready();
    proxy.delayMs = 6_000;
    await gateways.produce('notifications', record('tom', 1), record('tom', 2));
    await waitFor(() => messages.length === 2, { timeoutMs: 20_000 });
    expect(ends).toEqual([{ code: 1006, reason: 'nothing was heard' }]);
    expect(payloads()).toEqual([1, 2]);
    expect(events).not.toContain('lost');
    await proxy.stop();
  }, 40_000);
});

describe('a token that expires', () => {
  const seconds = (count: number) => Math.floor(Date.now() / 1000) + count;

  it('is renewed before, on the same connection', async () => {
    const first = token('uma', { exp: seconds(8) });
    const later = token('uma', { exp: seconds(3600) });
    let asked = 0;
    const client = open('uma', { token: () => (++asked === 1 ? first : later) });
    const { events } = watch(client);
    // Keeps the first token: when it is closed, that one has expired for the gateway too.
    const witness = open('uma', { token: first });
    expect(await witness.closed).toMatchObject({ why: 'token', code: 4010 });
    await client.request('ping');
    expect(asked).toBe(2);
    expect(events).toEqual(['connected']);
  });

  it('without a renewal in time closes 4010: the client comes back with a new one and misses nothing', async () => {
    let issued = 0;
    const client = open('vic', {
      token: () => token('vic', { exp: seconds(++issued === 1 ? 2 : 3600), jti: String(issued) }),
    });
    const { events, payloads } = watch(client);
    await client.ready();
    await waitFor(() => events.includes('disconnected'));
    await gateways.produce('notifications', record('vic', 1));
    await waitFor(() => payloads().length === 1);
    expect(issued).toBe(2);
    expect(events).toEqual(['connected', 'disconnected', 'reconnecting', 'connected', 'recovered', 'recovered']);
  });

  it('of which there is no other is the end', async () => {
    const client = open('wim', { token: token('wim', { exp: seconds(2) }) });
    await client.ready();
    expect(await client.closed).toMatchObject({ why: 'token', code: 4010 });
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpProxy, waitFor } from '@ws-gateway/testkit';
import { findBrowser, startBrowser, type Browser, type Page } from '@ws-gateway/testkit/browser';
import type { ClientOptions } from '../src/index.js';
import { TestGateways, record, token } from './test-gateways.js';
import { startPageServer, type PageServer } from './page-server.js';
import { SseServer } from './sse-server.js';

/** The published files in a real browser, without a bundler, against real nodes. */

const program = findBrowser();
// Without one the suite is skipped by name: the run lists it, and in CI that is a failure (scripts/boot/test.mjs).
const inBrowser = program === null ? describe.skip : describe;

let gateways: TestGateways;
let browser: Browser;
let server: PageServer;
let page: Page;
let problems: string[] = [];
/** What the page's token function gives, asked by asked; the last one for ever. */
let tokens: string[];
let asked: number;

inBrowser('the client in a browser', () => {
  beforeAll(async () => {
    gateways = await TestGateways.open();
    server = await startPageServer();
    browser = await startBrowser(program!);
  }, 90_000);
  beforeEach(async () => {
    page = await browser.newPage();
    problems = [];
    tokens = [];
    asked = 0;
    page.on('pageerror', (error) => problems.push(error.message));
    await page.exposeFunction('askToken', () => tokens[Math.min(asked++, tokens.length - 1)]);
    await page.goto(server.url);
    await page.waitForFunction('window.start');
  });
  afterEach(async () => {
    await page?.close();
    expect(problems).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    server?.stop();
    await gateways?.close();
  }, 60_000);

  async function start(user: string, options: Partial<ClientOptions> = {}): Promise<void> {
    if (tokens.length === 0) tokens = [token(user)];
    const all = { url: gateways.urls, topics: ['notifications'], backoff: { baseMs: 100, capMs: 500 }, ...options };
    await page.evaluate(`start(${JSON.stringify(all)})`);
  }
  const events = (): Promise<string[]> => page.evaluate<string[]>('events.map(({ name }) => name)');
  const payloads = (): Promise<unknown[]> => page.evaluate<unknown[]>('payloads');
  const seconds = (count: number): number => Math.floor(Date.now() / 1000) + count;

  it('gets messages, by listeners and by for await', async () => {
    await start('ann');
    await page.evaluate(`take('notifications', 2)`);
    await gateways.produce('notifications', record('ann', { n: 1 }), record('ann', { n: 2 }), record('ann', { n: 3 }));
    expect(await page.evaluate('taken')).toEqual([{ n: 1 }, { n: 2 }]);
    await waitFor(async () => (await payloads()).length === 3);
    expect(await payloads()).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(await page.evaluate(`request('ping')`)).toEqual({ time: expect.anything() });
    expect(await page.evaluate('stop()')).toMatchObject({ why: 'client' });
  });

  it('is told that its user was blocked, and stays away', async () => {
    await start('bob');
    await gateways.produce('user-blocks', record('bob', { blocked: true, reason: 'fraud' }));
    const closed = `events.find(({ name }) => name === 'closed')`;
    await page.waitForFunction(closed);
    expect(await page.evaluate(closed)).toMatchObject({ detail: { why: 'gateway', code: 4500, reason: 'fraud' } });
    await expect(start('bob')).rejects.toThrow('refused fraud');
    await page.waitForFunction(closed);
    const refusal = { code: 'user_blocked', http: 403, reason: 'fraud', expires_at: null };
    expect(await page.evaluate(closed)).toMatchObject({ detail: { why: 'refused', code: 4500, refusal } });
  });

  it('is told by a frame why it is refused: a token that has expired, a topic that is none', async () => {
    tokens = [token('ida', { exp: seconds(-60) }), token('ida')];
    await start('ida');
    await waitFor(async () => (await events()).includes('connected'));
    const refused = `events.find(({ name }) => name === 'refused').detail`;
    expect(await page.evaluate(refused)).toMatchObject({ code: 'token_expired', http: 401 });
    await expect(start('ida', { topics: ['nope'] })).rejects.toThrow('refused unknown_topic');
    const closed = `events.find(({ name }) => name === 'closed')`;
    await page.waitForFunction(closed);
    expect(await page.evaluate(closed)).toMatchObject({
      detail: { why: 'refused', code: 4600, reason: 'unknown_topic', refusal: { code: 'unknown_topic', http: 400 } },
    });
  });

  it('asks for a new token when the old one has expired, and misses nothing', async () => {
    tokens = [token('cat', { exp: seconds(2) }), token('cat', { exp: seconds(3600) })];
    await start('cat');
    await waitFor(async () => (await events()).includes('disconnected'));
    await gateways.produce('notifications', record('cat', 'missed'));
    await waitFor(async () => (await payloads()).length === 1);
    expect(asked).toBe(2);
    expect(await page.evaluate(`events.find(({ name }) => name === 'disconnected').detail.code`)).toBe(4010);
    expect(await events()).toEqual([
      'connected',
      'disconnected',
      'reconnecting',
      'connected',
      'recovered',
      'recovered',
    ]);
  });

  it('goes on at the second node when the first is killed, and gets what it missed', async () => {
    await start('dan');
    await page.evaluate(`take('notifications', 3)`);
    await gateways.produce('notifications', record('dan', 'before'));
    await waitFor(async () => (await payloads()).length === 1);
    await gateways.edges[0]!.kill();
    await gateways.produce('notifications', record('dan', 'meanwhile'));
    await waitFor(async () => (await events()).includes('recovered'), { timeoutMs: 20_000 });
    await gateways.produce('notifications', record('dan', 'after'));
    expect(await page.evaluate('taken')).toEqual(['before', 'meanwhile', 'after']);
    expect(await payloads()).toEqual(['before', 'meanwhile', 'after']);
    expect(await events()).not.toContain('lost');
  }, 60_000);

  it('makes the attempt it waits for when the network comes back', async () => {
    const proxy = await TcpProxy.start({ port: gateways.edges[1]!.port });
    const backoff = { baseMs: 600_000, capMs: 600_000 };
    await start('eve', { url: `ws://127.0.0.1:${proxy.port}/ws`, backoff });
    await page.context().setOffline(true);
    proxy.cut();
    await waitFor(async () => (await events()).includes('reconnecting'));
    proxy.restore();
    await page.context().setOffline(false);
    await waitFor(async () => (await events()).filter((name) => name === 'connected').length === 2);
    await page.evaluate('stop()');
    await proxy.stop();
  });
});

inBrowser('the client in a browser behind a proxy that cuts WebSockets', () => {
  let sse: SseServer;

  beforeAll(async () => {
    sse = await SseServer.start();
    server = await startPageServer();
    browser = await startBrowser(program!);
    page = await browser.newPage();
    await page.exposeFunction('askToken', () => 'h.p.s');
    await page.goto(server.url);
    await page.waitForFunction('window.start');
  }, 90_000);
  afterAll(async () => {
    await browser?.close();
    server?.stop();
    await sse?.stop();
  });

  it('takes server-sent events of another origin, resumes by them, and is told by them why it is refused', async () => {
    const options = { url: `ws://127.0.0.1:${sse.port}/ws`, topics: ['a'], backoff: { baseMs: 5, capMs: 20 } };
    await page.evaluate(`start(${JSON.stringify(options)})`);
    expect(sse.last.authorization).toBe('Bearer h.p.s');
    sse.last.push('a', 'one', 1);
    await page.waitForFunction('payloads.length === 1');
    sse.last.end();
    await waitFor(() => sse.streams.length === 2);
    expect(sse.last.recover).toBe('a:e1:1');
    sse.refusals.push({ status: 403, code: 'user_blocked' });
    sse.last.end();
    const closed = `events.find(({ name }) => name === 'closed')`;
    await page.waitForFunction(closed);
    expect(await page.evaluate(closed)).toMatchObject({
      detail: { why: 'refused', code: 403, refusal: { code: 'user_blocked' } },
    });
  });
});

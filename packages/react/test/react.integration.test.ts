import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { findBrowser, startBrowser, type Browser, type Page } from '@ws-gateway/testkit/browser';
import { ReactPage } from './react-page.js';

/** The hooks in a real browser, in StrictMode, which mounts everything twice. */

const program = findBrowser();
// Without one the suite is skipped by name: the run lists it, and in CI that is a failure (scripts/boot/test.mjs).
const inBrowser = program === null ? describe.skip : describe;

let browser: Browser;
let site: ReactPage;
let page: Page;
let problems: string[];

inBrowser('a React page', () => {
  beforeAll(async () => {
    browser = await startBrowser(program!);
  }, 90_000);
  beforeEach(async () => {
    problems = [];
    site = await ReactPage.start();
    page = await browser.newPage();
    page.on('pageerror', (error) => problems.push(error.message));
    page.on('console', (line) => {
      if (line.type() === 'error') problems.push(line.text());
    });
  });
  afterEach(async () => {
    await page?.close();
    await site?.stop();
    expect(problems).toEqual([]);
  });
  afterAll(() => browser?.close());

  const text = (id: string): Promise<string | null> =>
    page.evaluate<string | null>(`document.getElementById('${id}')?.textContent ?? null`);
  const shows = (id: string, expected: string): Promise<unknown> =>
    waitFor(async () => (await text(id)) === expected, { what: `${id}: ${expected}` });
  const sent = (): string[] => site.commands.map(({ command, options }) => `${command} ${options.topics.join()}`);

  it('shows the newest messages of a topic, newest last, by one connection and one subscription', async () => {
    await page.goto(site.url());
    await shows('status', 'connected');
    await waitFor(() => sent().length === 1);
    for (const at of [1, 2, 3, 4]) site.push('news', at);
    await shows('one', '2 3 4');
    expect(await text('two')).toBe('2 3 4');
    expect(sent()).toEqual(['subscribe news']);
    expect(site.sockets).toHaveLength(1);
  });

  it('leaves a topic with the last component that uses it, not before', async () => {
    await page.goto(site.url());
    await waitFor(() => sent().length === 1);
    await page.evaluate(`setPanels(['two'])`);
    site.push('news', 5);
    await shows('two', '5');
    await page.evaluate(`setPanels([])`);
    await waitFor(() => sent().length === 2);
    await page.evaluate(`setPanels(['one'])`);
    await waitFor(() => sent().length === 3);
    expect(sent()).toEqual(['subscribe news', 'unsubscribe news', 'subscribe news']);
  });

  it('does not leave a topic that the application has subscribed to by itself', async () => {
    await page.goto(site.url('news'));
    await shows('status', 'connected');
    await page.evaluate(`setPanels([])`);
    await page.evaluate(`gateway.subscribe('other')`);
    expect(sent()).toEqual(['subscribe other']);
  });

  it('keeps what it shows over a lost connection, and says what happens meanwhile', async () => {
    await page.goto(site.url('news'));
    await shows('status', 'connected');
    site.push('news', 1);
    await shows('one', '1');
    site.refusal = { payload: { code: 'full', message: 'no place', http: 503 }, close: 4203 };
    site.sockets[0]!.close(4001, 'slow_consumer');
    await shows('status', 'connecting, full: no place');
    site.refusal = null;
    await shows('status', 'connected');
    site.push('news', 2);
    await shows('one', '1 2');
  });

  it.each([
    ['token_expired', 401, 4010],
    ['user_blocked', 403, 4500],
    ['unknown_topic', 400, 4600],
  ])('is told %s', async (code, http, close) => {
    site.refusal = { payload: { code, message: `because of ${code}`, http }, close };
    await page.goto(site.url('news'));
    await shows('status', `closed, ${code}: because of ${code}`);
    expect(site.sockets).toHaveLength(1);
  });

  // The page said `closed, fraud`: the reason of this close is the block's, whatever an operator wrote.
  it.each([
    ['fraud', 'user_blocked: this user is blocked: fraud'],
    ['user_blocked', 'user_blocked: this user is blocked'],
  ])('is told that its user was blocked while it was connected (%s)', async (reason, told) => {
    await page.goto(site.url('news'));
    await shows('status', 'connected');
    site.sockets[0]!.close(4500, reason);
    await shows('status', `closed, ${told}`);
  });

  it('is told which topic of a component does not exist, while the others go on', async () => {
    await page.goto(site.url('news'));
    await shows('status', 'connected');
    await page.evaluate(`setPanels(['one', 'wrong'])`);
    await shows('status', 'connected, unknown_topic: known topics: news');
    site.push('news', 7);
    await shows('one', '7');
  });

  // The page said `connected` and nothing else, though the topic's component went on showing nothing.
  it('is told so after a lost connection, too, until no component uses the topic', async () => {
    await page.goto(site.url('news'));
    await shows('status', 'connected');
    await page.evaluate(`setPanels(['one', 'wrong'])`);
    await shows('status', 'connected, unknown_topic: known topics: news');
    site.sockets[0]!.close(4001, 'slow_consumer');
    await waitFor(() => site.sockets.length === 2, { what: 'it comes back' });
    await shows('status', 'connected, unknown_topic: known topics: news');
    await page.evaluate(`setPanels(['one'])`);
    await shows('status', 'connected');
    expect(sent()).toEqual(['subscribe wrong']);
  });
});

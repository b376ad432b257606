#!/usr/bin/env node
/**
 * node scripts/boot.mjs exec node scripts/screenshots.mjs
 *
 * Makes docs/images/console-*.png: the console of a real node with real traffic, light, dark and on a phone. It takes
 * about a minute and a half, because the charts show two minutes. It needs a build, and the pictures look best with the
 * font Inter installed.
 */
import { mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import './typescript-sources.mjs';

const IMAGES = fileURLToPath(new URL('../docs/images/', import.meta.url));
const ADMIN_TOKEN = 'the-admin-token-of-the-screenshots';
const TRAFFIC_S = Number(process.env.SCREENSHOT_SECONDS ?? 75);
const TOPICS = ['notifications', 'balance-updates', 'user-blocks', 'wss'];
const VIEWS = [
  { name: 'light', user: 'ada', colorScheme: 'light', viewport: { width: 1280, height: 1290 } },
  { name: 'dark', user: 'grace', colorScheme: 'dark', viewport: { width: 1280, height: 1290 } },
  { name: 'phone', user: 'linus', colorScheme: 'light', viewport: { width: 390, height: 1100 }, isMobile: true },
];

const testkit = await import('../packages/testkit/src/index.ts');
const { findBrowser, startBrowser } = await import('../packages/testkit/src/browser.ts');

const program = findBrowser();
if (program === null) throw new Error('a Chromium is needed; on Debian: apt-get install chromium');
const servers = await testkit.startTestServers((line) => console.error(line));
const closing = [() => servers.stop()];
try {
  await testkit.createTopics(TOPICS, 4);
  const config = {
    server: { drain: { duration: '100ms', deadline: '5s' } },
    admin: { token: ADMIN_TOKEN },
    console: { enabled: true },
    backends: {},
  };
  const nodes = await Promise.all([{}, {}].map(() => testkit.startGateway({ config })));
  closing.unshift(() => Promise.all(nodes.map((node) => node.stop())));
  const sockets = await connectUsers(nodes);
  const browser = await startBrowser(program);
  closing.unshift(() => browser.close());
  const pages = await Promise.all(VIEWS.map((view) => open(browser, nodes[0], view)));
  await traffic(sockets);
  for (const view of pages) await show(view);
  mkdirSync(IMAGES, { recursive: true });
  for (const { page, name } of pages) await picture(page, name);
  await story(pages[0], nodes[1]);
  await picture(pages[0].page.locator('#operate'), 'trace');
} finally {
  for (const close of closing) await close();
}

function token(user) {
  return testkit.signToken({ sub: user }, testkit.TEST_SECRET);
}

/** Connects users on both nodes, so that there is somebody to deliver to. */
async function connectUsers(nodes) {
  const users = Array.from({ length: 120 }, (_, at) => `user-${at}`);
  const open = (user, at) =>
    testkit.WsClient.open(`${nodes[at % 2].wsUrl}/ws?token=${token(user)}&topics=notifications,balance-updates`);
  return { users, clients: await Promise.all(users.map(open)) };
}

async function open(browser, node, { name, user, ...view }) {
  const context = await browser.newContext(view);
  const page = await context.newPage();
  const fragment = new URLSearchParams({
    token: token(user),
    topics: 'notifications,balance-updates',
    admin: ADMIN_TOKEN,
  });
  await page.goto(`${node.httpUrl}/#${fragment}`);
  await page.getByText(`connected as ${user}`).waitFor();
  return { page, name, user };
}

/** Shows a resume, and looks a user up. */
async function show({ page, user }) {
  await page.locator('#disconnect').click();
  await page.getByText('not connected', { exact: true }).waitFor();
  const titles = ['Grace replied to you', 'A new sign-in'];
  const missed = titles.map((title) => record(user, { title, body: 'while you were away' }));
  await testkit.produce('notifications', missed);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('replayed', { exact: true }).nth(1).waitFor();
  await page.locator('#user').fill(user);
  await page.getByRole('button', { name: 'Look up' }).click();
  await page.locator('#connections li').first().waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.evaluate(() => scrollTo(0, 0));
}

async function picture(of, name) {
  await of.screenshot({ path: `${IMAGES}console-${name}.png` });
  console.log(`docs/images/console-${name}.png`);
}

/** Follows a user who comes, is sent something, goes, and misses something. */
async function story({ page }, node) {
  await page.getByRole('tab', { name: 'Trace' }).click();
  await page.locator('#trace-name').fill('mary');
  await page.getByRole('button', { name: 'Follow', exact: true }).click();
  await page.getByText('Following mary.').waitFor();
  const url = (name) => `${node.wsUrl}/ws?token=${token(name)}&topics=notifications`;
  const send = (id, members) =>
    testkit.produce('notifications', [{ key: 'mary', value: { user_id: 'mary', payload: { id }, id, ...members } }]);
  const mary = await testkit.WsClient.open(url('mary'));
  await send('order-4711');
  await page.locator('#steps li', { hasText: 'order-4711 sent' }).waitFor();
  await mary.close();
  await send('order-4712');
  await page.locator('#steps li', { hasText: 'nobody was there' }).waitFor();
  const expired = testkit.signToken({ sub: 'mary', exp: 1 }, testkit.TEST_SECRET);
  await testkit.WsClient.refused(`${node.wsUrl}/ws?token=${expired}`);
  await page.locator('#steps li', { hasText: 'refused' }).waitFor();
  await page.evaluate(() => document.activeElement.blur());
}

/** Makes traffic that comes and goes in waves. */
async function traffic({ users }) {
  const texts = ['Your order is on its way', 'Grace replied to you', 'The match begins in 10 minutes', 'A new sign-in'];
  const watched = VIEWS.map(({ user }) => user);
  for (let second = 0; second < TRAFFIC_S; second++) {
    const count = Math.round(60 + 40 * Math.sin(second / 6) + 20 * Math.random());
    const title = texts[second % texts.length];
    const records = Array.from({ length: count }, (_, at) =>
      record(users[(second * 7 + at) % users.length], { title }),
    );
    const payload = { title, body: 'from Kafka', data: { order: 4200 + second } };
    if (second % 3 === 0) records.push(...watched.map((user) => record(user, payload)));
    await testkit.produce('notifications', records);
    const balance = { balance: (100 + second * 1.1).toFixed(2), delta: '1.10', currency: 'EUR' };
    if (second % 5 === 0)
      await testkit.produce(
        'balance-updates',
        watched.map((user) => record(user, balance)),
      );
    await delay(1000);
  }
}

function record(user, payload) {
  return { key: user, value: { user_id: user, payload } };
}

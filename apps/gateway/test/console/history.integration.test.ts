import { readFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from '../admin/admin-client.js';
import { record } from '../gateway-cluster.js';
import { consoleSuite } from './console-suite.js';
import type { ConsolePage } from './page.js';

/** Readings come every ten seconds. */
const READINGS_MS = 60_000;

const faintTexts = readFileSync(new URL('../fixtures/faint-texts.js', import.meta.url), 'utf8');

async function valueIs(console: ConsolePage, title: string, value: RegExp): Promise<void> {
  const chart = console.page.locator('#history figure').filter({ hasText: title });
  await chart.locator('.chart-value', { hasText: value }).waitFor({ timeout: READINGS_MS });
}

consoleSuite('the last hour in the console', (suite) => {
  const { open } = suite;

  it('is drawn with axes, of all nodes and of one, and read at any time by the keyboard', async () => {
    const client = await suite.cluster.connect(1, 'hugo', 'notifications');
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await valueIs(console, 'Connections', /^1$/);
    expect(await page.locator('#history figure').count()).toBe(10);
    const connections = page.locator('#history figure', { hasText: 'Connections' }).locator('svg');
    expect(await connections.getAttribute('aria-label')).toMatch(/^Connections, from .* to .*: from \d+ to \d+, 1 at/);
    expect(await connections.locator('text').allTextContents()).toEqual(expect.arrayContaining(['0', '1', '2']));
    await client.close();
    await suite.cluster.produce('notifications', record('hugo', 'x'), { key: 'hugo', value: '{' });
    await valueIs(console, 'Connections', /^0$/);
    const slider = page.locator('#history-at');
    // As far back as it goes the client was not there yet, or still was: by then the value is of another time.
    const now = await page.locator('#history-time').textContent();
    await slider.focus();
    await page.keyboard.press('Home');
    expect(await page.locator('#history-time').textContent()).not.toBe(now);
    expect(await slider.getAttribute('aria-valuetext')).toBe(await page.locator('#history-time').textContent());
    for (let presses = 0; presses < 60; presses++) {
      if (
        (await page.locator('#history figure', { hasText: 'Dead letters' }).locator('.chart-value').textContent()) ===
        '1'
      )
        break;
      await page.keyboard.press('ArrowRight');
    }
    await valueIs(console, 'Dead letters', /^1$/);
    const { body } = await call(suite.cluster.nodes[0]!, 'GET /api/nodes');
    const edge = (body['nodes'] as { node: string; role: string }[]).find(({ role }) => role === 'edge')!.node;
    await page.locator('#history-node').selectOption(edge);
    await valueIs(console, 'Dead letters', /^0$/);
    const router = page.locator('#nodes tr', { hasText: 'router' });
    await waitFor(async () => (await router.locator('td').nth(4).textContent()) === '1', { what: 'its dead letters' });
    await console.hasNoProblems();
  }, 180_000);

  // Whoever was about to click at something below the charts hit another thing.
  it('takes no room that it did not have before the first readings came', async () => {
    const console = await open();
    const { page } = console;
    let letReadingsCome: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (letReadingsCome = resolve));
    await page.route('**/readings*', async (route) => {
      await gate;
      await route.continue();
    });
    await console.unlock(ADMIN_TOKEN);
    const placeOfTab = () => page.getByRole('tab', { name: 'Connections', exact: true }).boundingBox();
    const before = await placeOfTab();
    letReadingsCome();
    await valueIs(console, 'Memory', /B$/);
    expect(await placeOfTab()).toEqual(before);
    await console.hasNoProblems();
  }, 120_000);

  it('stays when a node has gone, which is then said', async () => {
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    const settings = await fetch(`${suite.cluster.nodes[1]!.httpUrl}/console/settings.json`);
    const { node } = (await settings.json()) as { node: string };
    await page.locator(`#history-node option[value="${node}"]`).waitFor({ state: 'attached', timeout: READINGS_MS });
    await suite.cluster.nodes[1]!.stop();
    await page.locator('#history-node option', { hasText: `${node}, gone since` }).waitFor({ state: 'attached' });
    await page.locator('#history-node').selectOption(node);
    await console.says('history-note', /gone since .*: this is what it told before\.$/);
    expect(await page.locator('#history').getAttribute('data-gone')).toBe('true');
    expect(await page.locator('#history .line').first().getAttribute('d')).toMatch(/^M/);
    await page.locator('#history-node').selectOption('');
    expect(await page.locator('#history').getAttribute('data-gone')).toBe('false');
    await suite.cluster.nodes[0]!.kill();
    await console.says('history-note', /^This node does not answer/);
    expect(await page.locator('#history .line').first().getAttribute('d')).toMatch(/^M/);
    await suite.cluster.restart(0);
    await suite.cluster.restart(1);
    // Until the killed one is off the list a page asks it, too, and the browser complains of the answer.
    const listed = async () => (await call(suite.cluster.nodes[1]!, 'GET /api/nodes')).body['nodes'] as unknown[];
    await waitFor(async () => (await listed()).length === 3, { timeoutMs: 60_000, what: 'the killed node to go' });
  }, 180_000);

  it.each(['light', 'dark'] as const)(
    'fits a phone, and can be read, in %s',
    async (colorScheme) => {
      const console = await open({ colorScheme, viewport: { width: 360, height: 740 }, isMobile: true });
      const { page } = console;
      await console.unlock(ADMIN_TOKEN);
      const title = page.locator('#history summary');
      await title.waitFor({ timeout: READINGS_MS });
      // There the rest of the page comes first.
      expect(await page.locator('#history-charts').isVisible()).toBe(false);
      await title.press('Enter');
      await page.locator('#history text').first().waitFor();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
      expect(await page.evaluate(faintTexts)).toEqual([]);
      await console.hasNoProblems();
    },
    120_000,
  );
});

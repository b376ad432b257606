import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { ADMIN_TOKEN, call } from '../admin/admin-client.js';
import { record, token } from '../gateway-cluster.js';
import { consoleSuite } from './console-suite.js';
import type { ConsolePage } from './page.js';

consoleSuite('the console in a browser', (suite) => {
  const { open } = suite;

  it('shows a Kafka record as it was written, and the browser has nothing to complain about', async () => {
    const console = await open();
    await console.connect(token('ann'), 'notifications');
    await suite.cluster.produce('notifications', record('ann', { title: 'Hello' }, { id: 'n-1' }));
    await console.frame('{"title":"Hello"}');
    await suite.cluster.produce('notifications', { key: 'ann', value: '{"user_id":"ann","payload":{"price":1.10}}' });
    await console.frame('{"price":1.10}');
    await console.page.locator('#frames summary', { hasText: 'Hello' }).click();
    // The page writes what opens a moment after the click.
    await console.page.locator('#frames pre', { hasText: '"id": "n-1"' }).waitFor();
    await console.page
      .locator('#streams tr', { hasText: 'notifications/u/ann' })
      .getByText('2', { exact: true })
      .waitFor();
    await console.page
      .locator('.tile', { hasText: 'Connections' })
      .getByText(/^[1-9]/)
      .first()
      .waitFor();
    await console.hasNoProblems();
  });

  it('is signed in by the address that dev prints, which keeps no token', async () => {
    const fragment = new URLSearchParams({ token: token('dora'), topics: 'notifications', admin: ADMIN_TOKEN });
    const console = await open({ fragment: `#${fragment.toString()}` });
    await console.says('live-state', /^connected as dora$/);
    await console.page.locator('#nodes tr').nth(2).waitFor();
    expect(console.page.url()).toBe(`${suite.cluster.nodes[0]!.httpUrl}/`);
    const kept = await console.page.evaluate<string>('JSON.stringify({ ...localStorage }) + document.cookie');
    expect(kept).toBe('{}');
    const other = new URLSearchParams({ token: token('erna'), admin: ADMIN_TOKEN });
    await console.page.evaluate(`location.hash = ${JSON.stringify(other.toString())}`);
    await console.says('live-state', /^connected as erna$/);
    await console.page.getByRole('button', { name: 'Forget the token' }).click();
    await console.page.getByLabel('Admin token').waitFor();
    expect(await console.page.evaluate<string>('JSON.stringify({ ...sessionStorage })')).not.toContain(ADMIN_TOKEN);
    await console.hasNoProblems();
  });

  it('resumes by hand, from where it was left, unless that is not wanted', async () => {
    const console = await open();
    await console.connect(token('hana'), 'notifications');
    await suite.cluster.produce('notifications', record('hana', 'first'));
    await console.frame('first');
    const again = async (missed: string): Promise<void> => {
      await console.page.getByRole('button', { name: 'Disconnect', exact: true }).first().click();
      await console.says('live-state', /^not connected$/);
      // The API answers when the message is in the stream; a record could be under way still.
      const body = { topic: 'notifications', user_id: 'hana', payload: missed };
      expect(await call(suite.cluster.nodes[1]!, 'POST /api/publish', { body })).toMatchObject({ status: 200 });
      await console.connect(token('hana'), 'notifications');
    };
    await again('second');
    await console.page.locator('#frames .replayed', { hasText: 'second' }).waitFor();
    await console.page.getByLabel('Resume').uncheck();
    await again('third');
    await suite.cluster.produce('notifications', record('hana', 'barrier'));
    await console.frame('barrier');
    const received = (await console.page.locator('#frames li:not(.told) .text').allTextContents()).toReversed();
    expect(received).toEqual(['"first"', '"second"', '"barrier"']);
    await console.hasNoProblems();
  });

  it('shows hostile text as the text it is', async () => {
    const hostile = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
    const console = await open();
    const { page } = console;
    await console.connect(token(hostile), 'notifications');
    await console.unlock(ADMIN_TOKEN);
    await suite.cluster.produce(
      'notifications',
      record(hostile, { [hostile]: hostile }, { id: hostile, type: hostile }),
    );
    await console.frame('window.hit');
    await page.locator('#frames summary', { hasText: 'window.hit' }).click();
    await page.locator('#frames pre', { hasText: 'window.hit' }).waitFor();
    expect(await console.frames()).toContain(JSON.stringify({ [hostile]: hostile }));
    expect(await page.locator('#live-state').textContent()).toBe(`connected as ${hostile}`);
    await page.getByLabel('User id').fill(hostile);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.locator('#connections li').first().waitFor();
    await page.locator('#block-reason').fill('<b>bold</b>');
    await page.getByRole('button', { name: 'Block', exact: true }).click();
    await page.getByRole('dialog').getByText(hostile).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Block' }).click();
    await console.says('live-state', /^closed: 4500 <b>bold<\/b>$/);
    await console.says('user-note', /is blocked/);
    expect(await page.evaluate('document.querySelectorAll("img:not(header img), main script, b").length')).toBe(0);
    expect(await page.evaluate('window.hit')).toBeUndefined();
    await console.hasNoProblems();
  });

  it('keeps a bounded list, which can be paused and filtered', async () => {
    const console = await open();
    const { page } = console;
    await console.connect(token('lena'), 'notifications');
    const many = Array.from({ length: 700 }, (_, at) => record('lena', `number ${at}`));
    await suite.cluster.produce('notifications', ...many);
    await console.frame('number 699');
    expect(await page.locator('#frames li').count()).toBe(200);
    expect(await page.locator('#frame-count').textContent()).toBe('700');
    await page.getByRole('searchbox').fill('NUMBER 65');
    expect((await console.frames()).toReversed()).toEqual(Array.from({ length: 10 }, (_, at) => `"number 65${at}"`));
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Pause' }).click();
    await suite.cluster.produce('notifications', record('lena', 'while paused'));
    await page.getByRole('button', { name: 'Go on (1 new)' }).waitFor();
    expect(await console.frames()).not.toContain('"while paused"');
    await page.getByRole('button', { name: 'Go on' }).click();
    await console.frame('while paused');
    await page.getByRole('button', { name: 'Clear' }).click();
    expect(await page.locator('#frames li').count()).toBe(0);
    await console.hasNoProblems();
  });

  describe('by keyboard alone', () => {
    it('goes from tab to tab by arrows', async () => {
      const console = await open();
      await console.unlock(ADMIN_TOKEN);
      await tabTo(console, 'Users');
      await console.page.keyboard.press('ArrowRight');
      await focusIs(console, 'Connections');
      await console.page.keyboard.press('End');
      await focusIs(console, 'Subscriptions');
      await console.page.keyboard.press('ArrowRight');
      await focusIs(console, 'Users');
      expect(await console.page.locator('[role=tabpanel]').filter({ visible: true }).count()).toBe(1);
    });

    it('connects, reads a frame, and answers a question', async () => {
      const console = await open();
      const { page } = console;
      const { keyboard } = page;
      await keyboard.press('Tab');
      await focusIs(console, 'Skip to the live connection');
      await keyboard.press('Enter');
      await keyboard.press('Tab');
      await focusIs(console, 'Token');
      await keyboard.type(token('kim'));
      await keyboard.press('Tab');
      await focusIs(console, 'Topics');
      await keyboard.press('Control+A');
      await keyboard.type('notifications');
      await keyboard.press('Enter');
      await console.says('live-state', /^connected as kim$/);
      await suite.cluster.produce('notifications', record('kim', 'typed'));
      await console.frame('typed');
      await tabTo(console, 'Pause');
      await keyboard.press('Space');
      await focusIs(console, 'Go on');
      await keyboard.press('Space');
      await tabTo(console, 'typed');
      await keyboard.press('Enter');
      await page.locator('#frames pre').waitFor();
      await tabTo(console, 'Admin token');
      await keyboard.type(ADMIN_TOKEN);
      await keyboard.press('Enter');
      await page.locator('#nodes tr').nth(2).waitFor();
      await tabTo(console, 'Drain');
      await keyboard.press('Enter');
      await page.getByRole('dialog').waitFor();
      await keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
      // The focus is where it was, also after the list was read again.
      await focusIs(console, 'Drain');
      expect(await page.locator('#nodes button:disabled').count()).toBe(0);
      await console.hasNoProblems();
    });

    it('everything that takes the focus has a name and shows that it has it', async () => {
      const console = await open();
      await console.connect(token('lou'), 'notifications');
      await console.unlock(ADMIN_TOKEN);
      // The page itself comes behind the last element, and then the first one again.
      const seen: string[] = [];
      while (seen.filter((key) => key === 'body').length < 2 && seen.length < 100) {
        await console.page.keyboard.press('Tab');
        const focus = await focused(console);
        seen.push(focus.key);
        if (focus.key === 'body') continue;
        expect(focus).toMatchObject({
          name: expect.stringMatching(/\S/),
          outline: expect.stringMatching(/^solid [1-9]/),
        });
      }
      const round = new Set(seen.slice(seen.indexOf('body')));
      const focusable =
        'input, button:enabled:not([tabindex="-1"]), select, textarea, summary, a[href], [tabindex="0"]:not(button)';
      const all = await console.page.locator(focusable).filter({ visible: true }).count();
      // The page counts as one, too.
      expect(round.size).toBe(all + 1);
    }, 60_000);
  });

  it.each(['light', 'dark'] as const)('fits a phone, and can be read, in %s', async (colorScheme) => {
    const console = await open({ colorScheme, viewport: { width: 360, height: 740 }, isMobile: true });
    const { page } = console;
    const user = `phone-of-${'a'.repeat(100)}`;
    await console.connect(token(user), 'notifications,balance-updates');
    await console.unlock(ADMIN_TOKEN);
    await suite.cluster.produce('notifications', record(user, { text: 'x'.repeat(400) }));
    await console.frame('xxxx');
    await page.locator('#frames summary').first().click();
    await page.getByLabel('User id').fill(user);
    await page.getByRole('button', { name: 'Look up' }).click();
    await page.locator('#connections li').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.evaluate(faintTexts)).toEqual([]);
    const ground = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    expect(ground).toBe(colorScheme === 'light' ? 'rgb(244, 246, 247)' : 'rgb(14, 19, 21)');
    await console.hasNoProblems();
  });

  it('goes on where it was after its node was killed and started again', async () => {
    const console = await open();
    await console.connect(token('rob'), 'notifications');
    await suite.cluster.produce('notifications', record('rob', 'before'));
    await console.frame('before');
    await console.unlock(ADMIN_TOKEN);
    await suite.cluster.nodes[0]!.kill();
    await console.says('live-state', /^reconnecting/);
    // Nothing that was true before is shown any more, and nothing can be done.
    await console.says('readiness', /^does not answer$/);
    await console.says('admin-note', /^This node does not answer$/);
    expect(await console.page.locator('#nodes tr').count()).toBe(0);
    expect(await console.page.locator('#operations[inert]').count()).toBe(1);
    expect(new Set(await console.page.locator('.tile .value').allTextContents())).toEqual(new Set(['–']));
    // Once it is in the stream it can only be replayed.
    const witness = await suite.cluster.connect(1, 'rob', 'notifications');
    await suite.cluster.produce('notifications', record('rob', 'missed'));
    await witness.next('notifications');
    await witness.close();
    await suite.cluster.restart(0);
    await console.says('live-state', /^connected as rob/);
    await console.page.locator('#frames .replayed', { hasText: 'missed' }).waitFor();
    await console.page.locator('#streams tr', { hasText: 'notifications/u/rob' }).getByText('recovered +1').waitFor();
    await suite.cluster.produce('notifications', record('rob', 'after'));
    await console.frame('after');
    const received = (await console.page.locator('#frames li:not(.told) .text').allTextContents()).toReversed();
    expect(received).toEqual(['"before"', '"missed"', '"after"']);
  }, 60_000);
});

const faintTexts = readFileSync(new URL('../fixtures/faint-texts.js', import.meta.url), 'utf8');

interface Focus {
  readonly key: string;
  readonly name: string;
  readonly outline: string;
}

/** `key` tells elements apart; the name is what a screen reader would begin with. */
function focused({ page }: ConsolePage): Promise<Focus> {
  return page.evaluate<Focus>(`(() => {
    const element = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    const labels = [...(element.labels ?? [])].map((label) => label.textContent).join(' ');
    const name = element.getAttribute('aria-label') || labels || element.innerText;
    const at = [...document.querySelectorAll('*')].indexOf(element);
    const key = element === document.body ? 'body' : element.tagName + ' ' + at;
    return { key, name, outline: outlineStyle + ' ' + outlineWidth };
  })()`);
}

async function focusIs(console: ConsolePage, name: string): Promise<void> {
  await waitFor(async () => (await focused(console)).name.includes(name), { what: `the focus on ${name}` });
}

async function tabTo(console: ConsolePage, name: string): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await console.page.keyboard.press('Tab');
    if ((await focused(console)).name.includes(name)) return;
  }
  throw new Error(`no way to ${name} by Tab`);
}

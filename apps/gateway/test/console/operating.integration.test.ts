import { expect, it } from '@jest/globals';
import { ADMIN_TOKEN, call } from '../admin/admin-client.js';
import { record, token } from '../gateway-cluster.js';
import { consoleSuite } from './console-suite.js';

consoleSuite('operating by the console', (suite) => {
  const { open } = suite;

  it('blocks a user, whose own console then says why it was closed', async () => {
    const theirs = await open();
    await theirs.connect(token('mallory'), 'notifications');
    const console = await open({ at: 1 });
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await page.getByLabel('User id').fill('mallory');
    await page.getByRole('button', { name: 'Look up' }).click();
    expect(await page.locator('#connections li').count()).toBeLessThanOrEqual(1);
    await page.locator('#connections li', { hasText: '/ws on' }).waitFor();
    await page.getByLabel('Reason').fill('fraud');
    await page.getByRole('button', { name: 'Block', exact: true }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: 'Block', exact: true }).click();
    expect(await theirs.page.locator('#live-state').textContent()).toBe('connected as mallory');
    await page.getByRole('dialog').getByRole('button', { name: 'Block' }).click();
    await console.says('user-note', /^mallory is blocked\.$/);
    await theirs.says('live-state', /^closed: 4500 fraud$/);
    await page.getByRole('button', { name: 'Unblock' }).click();
    await console.says('user-note', /^mallory is not blocked\.$/);
    await theirs.connect(token('mallory'), 'notifications');
    await console.hasNoProblems();
    await theirs.hasNoProblems();
  });

  it('ends connections: one of a user, or all of them', async () => {
    const theirs = await open();
    await theirs.connect(token('otto'), 'notifications');
    const others = [
      await suite.cluster.connect(0, 'otto', 'notifications'),
      await suite.cluster.connect(1, 'otto', 'notifications'),
    ];
    const console = await open({ at: 1 });
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await page.getByLabel('User id').fill('otto');
    await page.getByLabel('User id').press('Enter');
    await page.locator('#connections li').nth(2).waitFor();
    const { connection } = others[0]!.frames[0]!['payload'] as { connection: string };
    await page.getByRole('button', { name: `Disconnect ${connection}` }).click();
    expect(await others[0]!.closed).toMatchObject({ code: 4504 });
    await page.locator('#disconnect-user').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
    expect(await others[1]!.closed).toMatchObject({ code: 4504 });
    await theirs.says('live-state', /^closed: 4504/);
    await console.says('user-note', /connections of otto closed\.$/);
    await console.hasNoProblems();
  });

  it('publishes the very text that was typed, and says why not', async () => {
    const receiver = await suite.cluster.connect(1, 'paul', 'notifications');
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await console.tab('Publish');
    await page.locator('#publish-topic').selectOption('notifications');
    await page.locator('#publish-name').fill('paul');
    await page.locator('#publish-payload').fill('{"price": 1.10}');
    await page.getByRole('button', { name: 'Publish' }).click();
    await console.says('publish-note', /^Sent to 1 node, notifications\/u\/paul #1\.$/);
    await receiver.next('notifications');
    expect(receiver.texts.at(-1)).toContain('"payload":{"price": 1.10}');
    await page.locator('#publish-payload').fill('{"a":1}, "user_id":"eve"');
    await page.getByRole('button', { name: 'Publish' }).click();
    await console.says('publish-note', /JSON/);
    await page.locator('#publish-payload').fill('"to all"');
    await page.locator('#publish-kind').selectOption('everybody');
    await page.getByRole('button', { name: 'Publish' }).click();
    await console.says('publish-note', /^Sent to \d nodes/);
    await receiver.next('notifications');
    expect(receiver.texts.at(-1)).toContain('"payload":"to all"');
    await receiver.close();
    await console.hasNoProblems();
  });

  it('refuses to stay open with a wrong admin token', async () => {
    const console = await open();
    await console.page.getByLabel('Admin token').fill('wrong');
    await console.page.getByRole('button', { name: 'Unlock' }).click();
    await console.says('admin-note', /^This is no token of the admin API$/);
    expect(await console.page.locator('#operations').isVisible()).toBe(false);
    expect(await console.page.evaluate<string>('JSON.stringify({ ...sessionStorage })')).not.toContain('wrong');
  });

  it('lists connections with what is known of them, blocks, and dead letters', async () => {
    const iris = await suite.cluster.connect(1, 'iris', 'notifications');
    await call(suite.cluster.nodes[0]!, 'POST /api/blocks/norbert', { body: { reason: 'fraud' } });
    await suite.cluster.produce('notifications', { key: 'iris', value: '{<b>' });
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await console.tab('Connections');
    await page.locator('#find-user').fill('iris');
    await page.getByRole('button', { name: 'List' }).click();
    const row = page.locator('#found li', { hasText: 'from 127.0.0.1' });
    await row.filter({ hasText: 'notifications' }).waitFor();
    expect(await page.locator('#found li').count()).toBe(1);
    await row.getByRole('button', { name: /^Disconnect/ }).click();
    expect(await iris.closed).toMatchObject({ code: 4504 });
    await console.tab('Slow clients');
    await console.says('slow-note', /^Every client keeps up\.$/);
    await console.tab('Blocks');
    await page.locator('#blocks li', { hasText: 'fraud; until unblocked' }).waitFor();
    await page.getByRole('button', { name: 'Unblock norbert' }).click();
    await console.says('blocks-note', /^norbert is not blocked\.$/);
    await console.tab('Dead letters');
    const letter = page.locator('#newest-letters li', { hasText: 'not_json' }).first();
    await letter.locator('summary').click();
    expect(await letter.locator('pre').textContent()).toContain('{<b>');
    await console.hasNoProblems();
  });

  it('tells the story of a message', async () => {
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    await console.tab('Trace');
    await page.locator('#trace-name').fill('zoe');
    await page.getByRole('button', { name: 'Follow', exact: true }).click();
    await console.says('trace-note', /^Following zoe\.$/);
    await suite.cluster.produce('notifications', record('zoe', {}, { id: 'n-1' }));
    await page.locator('#steps li', { hasText: 'n-1 nobody was there' }).waitFor();
    const zoe = await suite.cluster.connect(1, 'zoe', 'notifications');
    await suite.cluster.produce('notifications', record('zoe', {}, { id: 'n-2' }));
    await page.locator('#steps li', { hasText: 'n-2 sent to' }).waitFor();
    await zoe.close();
    await page.locator('#steps li', { hasText: 'closed: 1000' }).waitFor();
    const words = await page.locator('#steps .word').allTextContents();
    expect(words).toEqual(['record', 'offline', 'connected', 'record', 'routed', 'sent', 'closed']);
    await page.getByRole('button', { name: 'Stop' }).click();
    await console.says('trace-note', /^zoe is not followed any more\.$/);
    await console.hasNoProblems();
  });

  it('drains a node, which then leaves the list', async () => {
    const console = await open();
    await console.unlock(ADMIN_TOKEN);
    const { page } = console;
    const settings = (await (await fetch(`${suite.cluster.nodes[1]!.httpUrl}/console/settings.json`)).json()) as {
      node: string;
    };
    const row = page.locator('#nodes tr', { hasText: settings.node });
    await row.getByRole('button', { name: `Drain ${settings.node}` }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Drain' }).click();
    expect(await suite.cluster.nodes[1]!.exited).toMatchObject({ code: 0 });
    await row.waitFor({ state: 'detached' });
    await console.hasNoProblems();
    await suite.cluster.restart(1);
  }, 60_000);
});

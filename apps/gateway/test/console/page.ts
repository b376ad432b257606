import { expect } from '@jest/globals';
import type { Browser, BrowserContextOptions, Page } from '@ws-gateway/testkit/browser';

/** The console in a tab, and what the browser complained about meanwhile. */
export class ConsolePage {
  readonly page: Page;
  /** Errors in the browser's console, policy violations among them, and exceptions that nobody caught. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
    page.on('pageerror', (error) => this.problems.push(error.stack ?? error.message));
  }

  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<ConsolePage> {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const opened = new ConsolePage(page);
    await page.goto(url);
    // This is the last thing that comes when the page has its settings.
    await opened.says('readiness', /^ready$/);
    return opened;
  }

  /** Waits until the element with this id has a text like this. */
  async says(id: string, text: RegExp): Promise<void> {
    try {
      await this.page.locator(`#${id}`).filter({ hasText: text }).waitFor();
    } catch (error) {
      const said = await this.page.locator(`#${id}`).textContent();
      throw new Error(`#${id} says ${JSON.stringify(said)}, not ${String(text)}`, { cause: error });
    }
  }

  /** Waits for the entry with this text in the list of frames. */
  async frame(text: string): Promise<void> {
    await this.page.locator('#frames li', { hasText: text }).first().waitFor();
  }

  async connect(token: string, topics: string): Promise<void> {
    await this.page.getByLabel('Token a user').fill(token);
    await this.page.getByLabel('Topics').fill(topics);
    await this.page.getByRole('button', { name: 'Connect', exact: true }).click();
    await this.says('live-state', /^connected as/);
  }

  async unlock(token: string): Promise<void> {
    await this.page.getByLabel('Admin token').fill(token);
    await this.page.getByRole('button', { name: 'Unlock' }).click();
    await this.page.locator('#nodes tr').first().waitFor();
  }

  async tab(name: string): Promise<void> {
    await this.page.getByRole('tab', { name, exact: true }).click();
  }

  /** Reads the text of the list, newest first. */
  frames(): Promise<string[]> {
    return this.page.locator('#frames li .text').allTextContents();
  }

  async hasNoProblems(): Promise<void> {
    // Console messages come over the same connection, in order: after this answer there are none on their way.
    await this.page.evaluate('0');
    expect(this.problems).toEqual([]);
  }

  close(): Promise<void> {
    return this.page.context().close();
  }
}

import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import { findBrowser, startBrowser, type Browser, type BrowserContextOptions } from '@ws-gateway/testkit/browser';
import { ADMIN_TOKEN } from '../admin/admin-client.js';
import { GatewayCluster } from '../gateway-cluster.js';
import { ConsolePage } from './page.js';

const program = findBrowser();
// Without a browser the suite is skipped by name: the run lists it, and in CI that is a failure
// (scripts/boot/test.mjs).
const inBrowser = program === null ? describe.skip : describe;

export interface ConsoleSuite {
  readonly cluster: GatewayCluster;
  /** Opens the page of a node in a tab of its own, until the end of the test. */
  open(options?: BrowserContextOptions & { fragment?: string; at?: number }): Promise<ConsolePage>;
}

/** Tests of the console in a real browser, against real nodes: two edges with the page, and a router. */
export function consoleSuite(name: string, tests: (suite: ConsoleSuite) => void): void {
  inBrowser(name, () => {
    let cluster: GatewayCluster;
    let browser: Browser;
    const opened: ConsolePage[] = [];
    beforeAll(async () => {
      const config = { console: { enabled: true }, admin: { token: ADMIN_TOKEN } };
      cluster = await GatewayCluster.open({
        nodes: [{ role: 'edge', config }, { role: 'edge', config }, { role: 'router' }],
        topics: { notifications: { history: { size: 1000 } } },
      });
      browser = await startBrowser(program!);
    }, 90_000);
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((page) => page.close()));
    });
    afterAll(async () => {
      await browser?.close();
      await cluster?.close();
    }, 60_000);
    tests({
      get cluster() {
        return cluster;
      },
      open: async ({ fragment = '', at = 0, ...context } = {}) => {
        const page = await ConsolePage.open(browser, `${cluster.nodes[at]!.httpUrl}/${fragment}`, context);
        opened.push(page);
        return page;
      },
    });
  });
}

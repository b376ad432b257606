import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { findBrowser, startBrowser, type Browser, type Page } from '@ws-gateway/testkit/browser';
import { GatewayCluster, record, token } from '../gateway-cluster.js';
import { SseClient } from './sse-client.js';

const program = findBrowser();
// Without one the suite is skipped by name: the run lists it, and in CI that is a failure (scripts/boot/test.mjs).
const inBrowser = program === null ? describe.skip : describe;

let cluster: GatewayCluster;
const ROUTER = 0;
const EDGES = [1, 2] as const;

beforeAll(async () => {
  const history = { size: 5000, ttl: '1h' };
  cluster = await GatewayCluster.open({
    nodes: [{ role: 'router' }, { role: 'edge' }, { role: 'edge' }],
    topics: { orders: { history }, alerts: { history } },
  });
}, 90_000);
afterAll(() => cluster.close());

const url = (at: number, user: string, topics = 'orders,alerts') =>
  `${cluster.nodes[at]!.httpUrl}/sse?token=${token(user)}&topics=${topics}`;

/** Writes numbers to both topics until it is stopped; gives how many there are of each. */
function flow(user: string): { stop(): Promise<number> } {
  let stopping = false;
  const written = (async () => {
    let n = 0;
    while (!stopping) {
      n++;
      const of = (topic: string) => record(user, `${topic} ${n}`);
      await Promise.all([cluster.produce('orders', of('orders')), cluster.produce('alerts', of('alerts'))]);
    }
    return n;
  })();
  return {
    stop: () => {
      stopping = true;
      return written;
    },
  };
}

const numbered = (topic: string, count: number) => Array.from({ length: count }, (_, at) => `${topic} ${at + 1}`);
const of = (topic: string, payloads: readonly unknown[]) =>
  payloads.filter((payload) => String(payload).startsWith(topic));

/** Comes back as an EventSource does, but to the other node each time. */
class Returning {
  /** Connections so far. */
  readonly clients: SseClient[] = [];
  #isClosed = false;
  readonly #run: Promise<void>;

  constructor(user: string) {
    this.#run = this.#goOn(user);
  }

  get payloads(): unknown[] {
    return this.clients.flatMap(({ payloads }) => payloads);
  }

  /** Texts of all `connected`. */
  get greetings(): string[] {
    return this.clients.flatMap(({ events }) => events.filter(({ event }) => event === 'connected')).map((e) => e.data);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.clients.at(-1)?.close();
    await this.#run;
  }

  async #goOn(user: string): Promise<void> {
    for (let turn = 0; !this.#isClosed; turn++) {
      const id = this.clients.flatMap(({ events }) => events).at(-1)?.id;
      try {
        const client = await SseClient.open(
          url(EDGES[turn % 2]!, user),
          id === undefined ? {} : { 'last-event-id': id },
        );
        this.clients.push(client);
        await client.ended;
      } catch {
        // The node is not there yet.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

describe('a client of server-sent events', () => {
  // What lay in the queue of a killed node, in the kernel or in a batch is not in the id of the event before it.
  it('misses nothing and gets nothing twice when the node that it is on is killed, again and again', async () => {
    const user = 'killed';
    const client = new Returning(user);
    await waitFor(() => client.greetings.length === 1);
    const writing = flow(user);
    for (let time = 1; time <= 4; time++) {
      const [one, other] = EDGES;
      const victim = client.greetings.at(-1)!.includes(`"node":"${nodeOf(one)}"`) ? one : other;
      const before = client.greetings.length;
      await cluster.nodes[victim]!.kill();
      await cluster.restart(victim);
      await waitFor(() => client.greetings.length > before);
    }
    const count = await writing.stop();
    await waitFor(() => client.payloads.length >= 2 * count);
    await cluster.produce('orders', record(user, 'end'));
    await waitFor(() => client.payloads.includes('end'));
    await client.close();
    expect(client.greetings.join()).not.toContain('"recovered":false');
    expect(of('orders', client.payloads)).toEqual(numbered('orders', count));
    expect(of('alerts', client.payloads)).toEqual(numbered('alerts', count));
  }, 180_000);
});

function nodeOf(at: number): string {
  return String(cluster.nodes[at]!.logs.find((line) => line['message'] === 'listening')!['node']);
}

inBrowser('an EventSource of Chromium', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await startBrowser(program!);
  }, 60_000);
  afterAll(async () => browser?.close());
  afterEach(async () => page?.close());

  async function open(at: number, user: string): Promise<void> {
    page = await browser.newPage();
    // Another origin than the gateway's.
    await page.goto(`${cluster.nodes[ROUTER]!.httpUrl}/health`);
    await page.evaluate(`
      state = { events: [], id: '', source: null };
      state.listen = (address) => {
        state.source = new EventSource(address);
        for (const name of ['connected', 'orders', 'alerts', 'close'])
          state.source.addEventListener(name, ({ data, lastEventId }) => {
            state.events.push(name + ' ' + data);
            state.id = lastEventId;
          });
      };
      state.listen(${JSON.stringify(url(at, user))});`);
    await waitFor(async () => (await count('connected')) === 1);
  }
  const events = () => page.evaluate<string[]>('state.events');
  const count = async (name: string) => (await events()).filter((event) => event.startsWith(`${name} `)).length;
  const readyState = () => page.evaluate<number>('state.source.readyState');
  const payloads = async (topic: string) =>
    (await events())
      .filter((event) => event.startsWith(`${topic} `))
      .map((event) => (JSON.parse(event.slice(topic.length + 1)) as { payload: unknown }).payload);

  /** An EventSource gives up at any answer but 200, and a node that is starting says 503: then the page begins another one. */
  const keepTrying = (address: string) =>
    page.evaluate(`setInterval(() => {
      if (state.source.readyState === 2) state.listen(${JSON.stringify(address)} + '&lastEventId=' + state.id);
    }, 200)`);

  it('goes on when its node was killed and is there again', async () => {
    const user = 'browser';
    await open(1, user);
    await keepTrying(url(1, user));
    const writing = flow(user);
    await waitFor(async () => (await count('orders')) > 20);
    await cluster.nodes[1]!.kill();
    await cluster.restart(1);
    await waitFor(async () => (await count('connected')) === 2);
    const total = await writing.stop();
    await waitFor(async () => (await count('orders')) + (await count('alerts')) >= 2 * total);
    expect(await payloads('orders')).toEqual(numbered('orders', total));
    expect(await payloads('alerts')).toEqual(numbered('alerts', total));
    expect((await events()).filter((event) => event.includes('"recovered":false'))).toEqual([]);
  }, 90_000);

  it('gives up when its user is blocked, and says why it was closed', async () => {
    await open(2, 'blocked');
    await cluster.produce('user-blocks', record('blocked', { blocked: true, reason: 'fraud' }));
    await waitFor(async () => (await readyState()) === 2);
    const closes = (await events()).filter((event) => event.startsWith('close '));
    expect(closes).toEqual([expect.stringContaining('{"code":4500,"reason":"fraud"')]);
    expect(await count('connected')).toBe(1);
  }, 60_000);
});

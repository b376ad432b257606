import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { findProgram, waitFor } from '@ws-gateway/testkit';
import { findBrowser, startBrowser, type Browser, type Page } from '@ws-gateway/testkit/browser';
import { GatewayCluster, record, token } from './gateway-cluster.js';

/** Clients that share no line with the gateway or with its tests: what they see is what anybody sees. */

const python = findProgram(['python3'], 'python3');
const curl = findProgram(['curl'], 'curl');
const chromium = findBrowser();
// Without a program its tests are skipped by name: the run lists them, and in CI that is a failure (scripts/boot/test.mjs).
const withProgram = (program: string | null) => (program === null ? describe.skip : describe);

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('fixtures/foreign-client.py', import.meta.url));
const past = Math.floor(Date.now() / 1000) - 3600;

let cluster: GatewayCluster;
beforeAll(async () => {
  cluster = await GatewayCluster.open({ nodes: [{}] });
}, 120_000);
afterAll(() => cluster?.close());

const port = () => String(cluster.nodes[0]!.port);
const http = (path: string) => `${cluster.nodes[0]!.httpUrl}${path}`;
const webSocket = (path: string) => `${cluster.nodes[0]!.wsUrl}${path}`;
const connectedAs = (user: string) => ({ event: 'connected', payload: { user } });

/** Handshakes that each client makes, and what it is told of each by a frame and a close. */
const REFUSED = [
  {
    what: 'an expired token',
    path: `/ws?token=${token('ann', { exp: past })}`,
    protocols: ['wsg.v1'],
    told: { http: 401, code: 4010, reason: 'token_expired' },
  },
  { what: 'no token', path: '/ws', protocols: ['wsg.v1'], told: { http: 401, code: 4601, reason: 'token_missing' } },
  {
    what: 'a token that is none',
    path: '/ws',
    protocols: ['wsg.v1', 'bearer', 'abc'],
    told: { http: 401, code: 4601, reason: 'token_invalid' },
  },
  {
    what: 'an unknown topic',
    path: '/ws?topics=nope',
    protocols: ['bearer', token('ann'), 'wsg.v1'],
    told: { http: 400, code: 4600, reason: 'unknown_topic' },
  },
] as const;

/** Seen by a client with the interface of browsers. */
const seenOf = ({ http, code, reason }: (typeof REFUSED)[number]['told']) => ({
  protocol: 'wsg.v1',
  frames: [{ rid: -1, event: 'refused', status: 'error', payload: { code: reason, http } }],
  code,
  reason,
});

/** Lists with the token in any place; the one that is to be selected. */
const ADMITTED = [
  ['its token last', ['wsg.v1', 'bearer', token('ann')], 'wsg.v1'],
  ['its token first', ['bearer', token('ann'), 'wsg.v1'], 'wsg.v1'],
  ['its token among names that nobody knows', ['x', 'bearer', token('ann'), 'wsg.v1', 'y'], 'wsg.v1'],
  ['a name that nobody knows and its token', ['x', 'bearer', token('ann')], 'bearer'],
] as const;

withProgram(python)('Python without a library', () => {
  const told = async (...given: string[]): Promise<unknown> => {
    const { stdout } = await run(python!, [SCRIPT, ...given], { timeout: 60_000 });
    return JSON.parse(stdout);
  };
  const asked = (path: string, protocols: readonly string[]) => told('ws', port(), path, protocols.join(', '));

  it.each(REFUSED)('reads why it is refused: $what', async ({ path, protocols, told: expected }) => {
    const { code, reason, ...seen } = seenOf(expected);
    expect(await asked(path, protocols)).toMatchObject({ status: 101, ...seen, close: { code, reason } });
  });

  it.each(REFUSED)(
    'is answered by HTTP where it does not offer wsg.v1: $what',
    async ({ path, protocols, told: expected }) => {
      const others = protocols.filter((name) => name !== 'wsg.v1');
      const { http: status, reason: code } = expected;
      expect(await asked(path, others)).toMatchObject({ status, body: { error: { code } } });
    },
  );

  it.each(ADMITTED)('is let in with %s', async (_, protocols, selected) => {
    const answer = await asked('/ws?topics=notifications', protocols);
    expect(answer).toMatchObject({ status: 101, protocol: selected, frames: [connectedAs('ann')] });
  });

  it('is told which subprotocols there are when it offers others only', async () => {
    const answer = await asked(`/ws?token=${token('ann')}`, ['graphql-ws', 'soap']);
    expect(answer).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    expect(JSON.stringify(answer)).toMatch(/wsg\.v1.*bearer/);
  });

  it('gets events, and those that it missed behind the id of one', async () => {
    const url = http(`/sse?token=${token('pia')}&topics=notifications`);
    const first = (await told('events', url, '1')) as { events: { id: string }[] };
    expect(first).toMatchObject({ status: 200, events: [{ event: 'connected', data: connectedAs('pia') }] });
    await cluster.produce('notifications', record('pia', 'one'), record('pia', 'two'));
    const again = await told('events', url, '3', first.events[0]!.id);
    expect(again).toMatchObject({
      events: [
        { data: { payload: { topics: [{ recovered: true }] } } },
        { event: 'notifications', data: { payload: 'one' } },
        { event: 'notifications', data: { payload: 'two' } },
      ],
    });
    expect(await told('events', url, '1', 'nonsense')).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_request' } },
    });
  });
});

withProgram(curl)('curl', () => {
  /** What it prints before it is ended by its own time, or by the server. */
  const says = async (...given: string[]): Promise<string> => {
    const args = ['-s', '-N', '--max-time', '20', ...given];
    return run(curl!, args).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
  };

  it('gets health without a word', async () => {
    expect(await says('-w', '%{http_code}', '-o', '/dev/null', http('/health'))).toBe('200');
  });

  it('is refused by HTTP, with the reason and when to come back', async () => {
    const answer = await says('-i', '-H', 'Accept: text/event-stream', http('/sse?topics=notifications'));
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toContain('"code":"token_missing"');
  });

  it('shows events as they come, with the token in a header', async () => {
    const shown = run(curl!, [
      '-s',
      '-N',
      '--max-time',
      '60',
      '-H',
      `Authorization: Bearer ${token('cat')}`,
      http('/sse?topics=notifications'),
    ]);
    let text = '';
    shown.child.stdout!.on('data', (chunk: string) => (text += chunk));
    await waitFor(() => text.includes('event: connected'), { what: 'connected' });
    await cluster.produce('notifications', record('cat', 'here'));
    await waitFor(() => text.includes('"payload":"here"'), { what: 'the message' });
    expect(text).toMatch(/^retry: \d+\nid: \S+\nevent: connected\ndata: \{/);
    shown.child.kill();
    await shown.catch(() => undefined);
  });

  it('sees a page that may not read an answer turned away, and a preflight answered', async () => {
    const preflight = await says('-i', '-X', 'OPTIONS', '-H', 'Origin: https://a.example', http('/sse'));
    expect(preflight).toMatch(/access-control-allow-origin: \*/i);
  });
});

/** The WebSocket of Node, which is that of browsers by another hand. */
describe('the WebSocket that Node brings', () => {
  const told = (path: string, protocols: readonly string[]) =>
    new Promise((resolve) => {
      const socket = new WebSocket(webSocket(path), [...protocols]);
      const frames: unknown[] = [];
      socket.addEventListener('message', ({ data }) => {
        frames.push(JSON.parse(String(data)));
        if (String(data).includes('"event":"connected"')) socket.close();
      });
      socket.addEventListener('close', ({ code, reason }) =>
        resolve({ protocol: socket.protocol, frames, code, reason }),
      );
    });

  it.each(REFUSED)('reads why it is refused: $what', async ({ path, protocols, told: expected }) => {
    expect(await told(path, protocols)).toMatchObject(seenOf(expected));
  });

  it.each(ADMITTED)('is let in with %s', async (_, protocols, protocol) => {
    expect(await told('/ws', protocols)).toMatchObject({ protocol, frames: [connectedAs('ann')] });
  });
});

withProgram(chromium)('a page in Chromium', () => {
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    browser = await startBrowser(chromium!);
    page = await browser.newPage();
    await page.goto(http('/health'));
  }, 90_000);
  afterAll(() => browser?.close());

  const told = (path: string, protocols: readonly string[]) =>
    page.evaluate<unknown>(`new Promise((resolve) => {
      const socket = new WebSocket(${JSON.stringify(webSocket(path))}, ${JSON.stringify(protocols)});
      const frames = [];
      socket.onmessage = ({ data }) => {
        frames.push(JSON.parse(data));
        if (data.includes('"event":"connected"')) socket.close();
      };
      socket.onclose = ({ code, reason }) => resolve({ protocol: socket.protocol, frames, code, reason });
    })`);

  it.each(REFUSED)('reads why it is refused: $what', async ({ path, protocols, told: expected }) => {
    expect(await told(path, protocols)).toMatchObject(seenOf(expected));
  });

  it('sees 1006 and nothing else where it does not offer wsg.v1', async () => {
    expect(await told('/ws?token=abc', [])).toMatchObject({ frames: [], code: 1006, reason: '' });
  });

  it.each(ADMITTED)('is let in with %s', async (_, protocols, protocol) => {
    expect(await told('/ws', protocols)).toMatchObject({ protocol, frames: [connectedAs('ann')] });
  });

  it('gets events by EventSource', async () => {
    await page.evaluate(`
      window.seen = [];
      window.source = new EventSource(${JSON.stringify(http(`/sse?token=${token('eve')}&topics=notifications`))});
      for (const name of ['connected', 'notifications', 'close']) {
        source.addEventListener(name, ({ data }) => seen.push([name, JSON.parse(data).payload]));
      }`);
    const seen = () => page.evaluate<[string, unknown][]>('seen');
    await waitFor(async () => (await seen()).length === 1, { what: 'connected' });
    await cluster.produce('notifications', record('eve', 1));
    await waitFor(async () => (await seen()).length === 2, { what: 'a message' });
    expect(await seen()).toMatchObject([
      ['connected', { user: 'eve' }],
      ['notifications', 1],
    ]);
    await page.evaluate('source.close()');
  });
});

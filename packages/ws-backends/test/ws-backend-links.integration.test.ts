import { afterEach, describe, expect, it } from '@jest/globals';
import { EdgeStats, type Logger, type PipeClient, type PipeHost } from '@ws-gateway/core';
import { TcpProxy, waitFor } from '@ws-gateway/testkit';
import { WsBackendLinks, type WsBackendLinksOptions } from '../src/index.js';
import { Backend } from './backend.js';

const silent: Logger = { error() {}, warn() {}, info() {}, debug() {}, child: () => silent };
const ann = { user: 'ann', connection: 'n-1' };
const bob = { user: 'bob "b"', connection: 'n-2' };

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});

class Host implements PipeHost {
  readonly calls: (readonly string[])[] = [];
  lostPipes = 0;
  readonly overflowing: string[] = [];
  /** Set by a test that wants calls to take time. */
  gate: Promise<void> = Promise.resolve();
  answers: (actions: readonly string[]) => string[] = () => [];

  async perform(_pipe: string, actions: readonly string[]): Promise<string[]> {
    this.calls.push(actions);
    await this.gate;
    return this.answers(actions);
  }

  lost(): void {
    this.lostPipes++;
  }

  overflowed(_pipe: string, { connection }: PipeClient): void {
    this.overflowing.push(connection);
  }

  get actions(): string[] {
    return this.calls.flat();
  }
}

interface Setup {
  readonly url?: string;
  readonly closeOnLoss?: boolean;
  readonly queueBytes?: number;
  readonly queueEvents?: number;
  readonly options?: Partial<WsBackendLinksOptions>;
}

async function setup(given: Setup = {}) {
  const backend = await Backend.start();
  running.push(backend);
  const stats = new EdgeStats();
  const { url = backend.url, closeOnLoss = false, queueBytes = 1024 * 1024, queueEvents = 100_000 } = given;
  const links = new WsBackendLinks(
    { stats, logger: silent },
    { backends: [{ name: 'lobby', url, closeOnLoss, queueBytes, queueEvents }], reconnectMsMax: 50, ...given.options },
  );
  const host = new Host();
  running.push({ stop: () => links.close() });
  return { backend, links, host, stats: stats.link('lobby') };
}

const isUp = (stats: { up: boolean }) => waitFor(() => stats.up, { what: 'the link' });

describe('what clients do', () => {
  it('is told in order, messages as they are, also what happened before the link was there', async () => {
    const { backend, links, host } = await setup();
    links.opened('lobby', ann);
    links.message('lobby', ann, '{ "n":1.0e2 }');
    links.start(host);
    links.opened('lobby', bob);
    links.message('lobby', bob, '"hi"');
    links.closed('lobby', bob, { code: 1001, reason: 'gone "away"' });
    await backend.toldOf(5);
    expect(backend.links[0]!.texts).toEqual([
      '{"user":"ann","event":"open","connection":"n-1"}',
      '{"user":"ann","event":"message","connection":"n-1","message":{ "n":1.0e2 }}',
      '{"user":"bob \\"b\\"","event":"open","connection":"n-2"}',
      '{"user":"bob \\"b\\"","event":"message","connection":"n-2","message":"hi"}',
      '{"user":"bob \\"b\\"","event":"close","connection":"n-2","code":1001,"reason":"gone \\"away\\""}',
    ]);
  });

  it('of a client that was never taken is not told', async () => {
    const { backend, links, host } = await setup();
    links.start(host);
    expect(links.message('lobby', ann, '1')).toBe(false);
    links.closed('lobby', ann, { code: 1000, reason: '' });
    links.opened('lobby', bob);
    await backend.toldOf(1);
    expect(backend.told).toEqual([{ ...bob, event: 'open' }]);
  });

  it('waits while the backend is away; a backend that was started again is told who is there first', async () => {
    const { backend, links, host, stats } = await setup();
    links.start(host);
    links.opened('lobby', ann);
    links.opened('lobby', bob);
    links.message('lobby', ann, '1');
    await backend.toldOf(3);
    await backend.stop();
    await waitFor(() => !stats.up);
    links.message('lobby', ann, '2');
    links.closed('lobby', bob, { code: 1000, reason: '' });
    links.opened('lobby', { user: 'cleo', connection: 'n-3' });
    expect(links.accepts('lobby')).toBe(true);
    expect(stats).toMatchObject({ up: false, losses: 1, waitingEvents: 5 });
    await backend.start();
    const told = await backend.toldOf(5);
    expect(told.map(({ user, event, message }) => [user, event, message])).toEqual([
      ['ann', 'open', undefined],
      ['bob "b"', 'open', undefined],
      ['ann', 'message', 2],
      ['bob "b"', 'close', undefined],
      ['cleo', 'open', undefined],
    ]);
    await waitFor(() => stats.waitingEvents === 0);
    expect(stats).toMatchObject({ up: true, connects: 2, clients: 2, waitingBytes: 0, overflows: 0 });
    expect(stats.events.values).toEqual(
      new Map([
        ['open', 5],
        ['message', 2],
        ['close', 1],
      ]),
    );
  });

  it('is neither lost nor told twice when the link is cut again and again, but for the opens', async () => {
    const target = await Backend.start();
    running.push(target);
    const proxy = await TcpProxy.start({ port: Number(new URL(target.url).port) });
    running.push(proxy);
    const { links, host, stats } = await setup({ url: `ws://127.0.0.1:${proxy.port}/` });
    links.start(host);
    links.opened('lobby', ann);
    const count = 200;
    let sent = 0;
    for (let cut = 0; cut < 5; cut++) {
      await isUp(stats);
      await waitFor(() => stats.waitingEvents === 0);
      // All that was written has arrived: what a cut swallows on its way is not this test's business.
      await waitFor(
        () => target.links.flatMap(({ texts }) => texts).filter((text) => /message/.test(text)).length === sent,
      );
      proxy.cut();
      await waitFor(() => !stats.up);
      for (let n = 0; n < count; n++) links.message('lobby', ann, String(sent++));
      proxy.restore();
    }
    const messages = () =>
      target.links.flatMap(({ texts }) => texts.map((text) => JSON.parse(text) as { event: string; message?: number }));
    await waitFor(() => messages().filter(({ event }) => event === 'message').length >= sent);
    const numbers = messages().flatMap(({ message }) => (message === undefined ? [] : [message]));
    expect(numbers).toEqual(Array.from({ length: sent }, (_, at) => at));
    for (const { texts } of target.links.filter(({ texts }) => texts.length > 0)) {
      expect(JSON.parse(texts[0]!)).toEqual({ ...ann, event: 'open' });
    }
  });

  it('is refused over the bounds, in count and in bytes, but the end of a client never is', async () => {
    const few = await setup({ queueEvents: 3 });
    expect(few.links.opened('lobby', ann)).toBe(true);
    expect(few.links.message('lobby', ann, '1')).toBe(true);
    expect(few.links.message('lobby', ann, '2')).toBe(true);
    expect(few.links.message('lobby', ann, '3')).toBe(false);
    expect(few.links.opened('lobby', bob)).toBe(false);
    few.links.closed('lobby', bob, { code: 1013, reason: '' });
    few.links.closed('lobby', ann, { code: 1013, reason: '' });
    few.links.start(few.host);
    const told = await few.backend.toldOf(4);
    expect(told.map(({ event, message }) => message ?? event)).toEqual(['open', 1, 2, 'close']);
    await waitFor(() => few.stats.waitingEvents === 0);
    expect(few.links.opened('lobby', bob)).toBe(true);

    const small = await setup({ queueBytes: 2000 });
    expect(small.links.opened('lobby', ann)).toBe(true);
    expect(small.links.message('lobby', ann, JSON.stringify('x'.repeat(2000)))).toBe(false);
    expect(small.links.message('lobby', ann, JSON.stringify('x'.repeat(1000)))).toBe(true);
  });
});

/**
 * The queue used to be one for all clients of a backend: whoever filled it first had all others closed at their next
 * message, and newcomers at their first.
 */
describe('the queue of a backend', () => {
  const kilobytes = (count: number): string => JSON.stringify('x'.repeat(count * 1024));
  const client = (n: number) => ({ user: `user-${n}`, connection: `n-${n}` });

  /** So many clients, each with as many bytes waiting as may be. */
  async function crowded(clients: number) {
    const { backend, links, host, stats } = await setup({ queueBytes: 1024 * 1024 });
    await backend.stop();
    links.start(host);
    for (let n = 0; n < clients; n++) {
      links.opened('lobby', client(n));
      while (links.message('lobby', client(n), kilobytes(10)));
    }
    return { backend, links, host, stats };
  }

  it('gives no client more than an eighth of it', async () => {
    const { host, stats } = await crowded(1);
    expect(stats.waitingBytes).toBeGreaterThan(1024 * 116);
    expect(stats.waitingBytes).toBeLessThanOrEqual(1024 * 128);
    expect(host.overflowing).toEqual([]);
  });

  it('refuses nobody for what others send: whoever has far more waiting gives way, and what it said is dropped', async () => {
    const { backend, links, host, stats } = await crowded(12);
    expect(stats.waitingBytes).toBeLessThanOrEqual(1024 * 1024);
    host.overflowing.length = 0;
    const quiet = client(100);
    expect(links.opened('lobby', quiet)).toBe(true);
    for (let n = 0; n < 3; n++) expect(links.message('lobby', quiet, kilobytes(30))).toBe(true);
    expect(stats.waitingBytes).toBeLessThanOrEqual(1024 * 1024);
    expect(host.overflowing).toHaveLength(1);
    const [gone = ''] = host.overflowing;
    links.closed('lobby', { user: gone.replace('n', 'user'), connection: gone }, { code: 1013, reason: '' });
    await backend.start();
    await waitFor(() => stats.waitingEvents === 0, { timeoutMs: 20_000 });
    await waitFor(() =>
      backend.told.some(({ connection, message }) => connection === 'n-100' && message !== undefined),
    );
    const toldOf = (connection: string) =>
      backend.told.filter((told) => told['connection'] === connection).map(({ event }) => event);
    expect(toldOf('n-100')).toEqual(['open', 'message', 'message', 'message']);
    expect(toldOf(gone)).toEqual(['open', 'close']);
    expect(stats).toMatchObject({ waitingBytes: 0, clients: 12 });
  });

  it('refuses the newcomer when nobody has far more waiting than it would have', async () => {
    const { links, host } = await setup({ queueEvents: 8 });
    for (let n = 0; n < 8; n++) expect(links.opened('lobby', client(n))).toBe(true);
    expect(links.opened('lobby', client(8))).toBe(false);
    expect(host.overflowing).toEqual([]);
  });
});

describe('a backend that does not read', () => {
  it('makes events wait here, bounded, and is given up when it answers no ping', async () => {
    const { backend, links, host, stats } = await setup({ options: { heartbeatMs: 300 } });
    links.start(host);
    await isUp(stats);
    links.opened('lobby', ann);
    await backend.toldOf(1);
    backend.links[0]!.socket.pause();
    const message = JSON.stringify('x'.repeat(60_000));
    let refused = false;
    // The kernel's own buffers fill first.
    for (let n = 0; n < 2000 && !refused; n++) {
      refused = !links.message('lobby', ann, message);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(refused).toBe(true);
    expect(stats.waitingBytes).toBeLessThanOrEqual(1024 * 1024);
    await waitFor(() => stats.losses === 1, { what: 'the link to be given up' });
    await waitFor(() => backend.links.length === 2 && backend.told.length > 0, { what: 'the next link to take it' });
    expect(backend.told[0]).toEqual({ ...ann, event: 'open' });
  });
});

describe('with closeOnLoss', () => {
  it('clients are to be closed at the loss, nobody is let in meanwhile, and nothing is told of those', async () => {
    const { backend, links, host, stats } = await setup({ closeOnLoss: true });
    links.start(host);
    expect(links.accepts('lobby')).toBe(true);
    links.opened('lobby', ann);
    await backend.toldOf(1);
    await backend.stop();
    await waitFor(() => host.lostPipes === 1);
    expect(links.accepts('lobby')).toBe(false);
    links.closed('lobby', ann, { code: 1012, reason: 'backend_lost' });
    expect(stats).toMatchObject({ waitingEvents: 0, clients: 0 });
    await backend.start();
    await isUp(stats);
    expect(links.accepts('lobby')).toBe(true);
    links.opened('lobby', bob);
    expect((await backend.toldOf(1))[0]).toEqual({ ...bob, event: 'open' });
    expect(host.lostPipes).toBe(1);
  });

  it('a backend that was never there counts as lost after the first attempt', async () => {
    const { backend, links, host } = await setup({ closeOnLoss: true });
    await backend.stop();
    links.start(host);
    expect(links.accepts('lobby')).toBe(true);
    await waitFor(() => !links.accepts('lobby'));
    expect(host.lostPipes).toBe(1);
  });
});

describe('what a backend asks for', () => {
  it('is carried out in order, together what came meanwhile, and answered over the link', async () => {
    const { backend, links, host, stats } = await setup();
    const gate = Promise.withResolvers<void>();
    host.gate = gate.promise;
    host.answers = (actions) => actions.filter((action) => action.includes('bad'));
    links.start(host);
    await isUp(stats);
    await waitFor(() => backend.links.length === 1);
    const sent = Array.from({ length: 300 }, (_, n) => `{"n":${n}${n % 100 === 0 ? ',"bad":1' : ''}}`);
    backend.send(...sent);
    await waitFor(() => host.calls.length === 1);
    gate.resolve();
    await waitFor(() => host.actions.length === 300);
    expect(host.actions).toEqual(sent);
    expect(host.calls.length).toBeLessThan(30);
    const answers: string[] = [];
    backend.links[0]!.socket.on('message', (data) => answers.push((data as Buffer).toString()));
    backend.send('{"bad":2}');
    await waitFor(() => answers.includes('{"bad":2}'));
  });

  it('is not read faster than it is carried out, and nothing of it is lost', async () => {
    const { backend, links, host, stats } = await setup({ options: { heartbeatMs: 50 } });
    const gate = Promise.withResolvers<void>();
    host.gate = gate.promise;
    links.start(host);
    await isUp(stats);
    await waitFor(() => backend.links.length === 1);
    const { socket } = backend.links[0]!;
    const padding = 'x'.repeat(50_000);
    const count = 400;
    for (let n = 0; n < count; n++) socket.send(`{"n":${n},"padding":"${padding}"}`);
    await waitFor(() => host.calls.length === 1);
    // 20 MB don't fit into what the kernel holds and what may wait here.
    await waitFor(() => socket.bufferedAmount > 0);
    gate.resolve();
    await waitFor(() => host.actions.length === count);
    expect(host.actions.map((action) => (JSON.parse(action) as { n: number }).n)).toEqual(
      Array.from({ length: count }, (_, n) => n),
    );
    expect(stats.losses).toBe(0);
  });

  it('never ends the link, be it binary, no UTF-8, or empty', async () => {
    const { backend, links, host, stats } = await setup();
    links.start(host);
    await isUp(stats);
    await waitFor(() => backend.links.length === 1);
    backend.send('', Buffer.from([0xff, 0xfe]), Buffer.from('{"binary":"ü"}'), '{"last":1}');
    await waitFor(() => host.actions.length === 4);
    expect(host.actions).toEqual(['', '', '{"binary":"ü"}', '{"last":1}']);
    expect(stats.losses).toBe(0);
  });
});

describe('the end', () => {
  it('comes when what waited is written, with a close frame', async () => {
    const { backend, links, host, stats } = await setup();
    links.start(host);
    await isUp(stats);
    links.opened('lobby', ann);
    for (let n = 0; n < 1000; n++) links.message('lobby', ann, String(n));
    links.closed('lobby', ann, { code: 1006, reason: '' });
    const ended = new Promise<number>((resolve) => backend.links[0]!.socket.on('close', resolve));
    await links.close();
    expect(await ended).toBe(1001);
    expect(backend.told).toHaveLength(1002);
    expect(backend.told.at(-1)).toMatchObject({ event: 'close', code: 1006 });
  });

  it('does not wait for a backend that is away', async () => {
    const { backend, links, host, stats } = await setup();
    await backend.stop();
    links.start(host);
    links.opened('lobby', ann);
    const began = performance.now();
    await links.close();
    expect(performance.now() - began).toBeLessThan(5000);
    expect(stats.waitingEvents).toBe(1);
  });

  it('a URL that cannot work is refused at once', () => {
    for (const url of ['http://a', 'ws://a#b', 'nonsense']) {
      const make = () =>
        new WsBackendLinks(
          { stats: new EdgeStats(), logger: silent },
          { backends: [{ name: 'a', url, closeOnLoss: false, queueBytes: 1024, queueEvents: 10 }] },
        );
      expect(make).toThrow(expect.objectContaining({ code: 'bad_url' }));
    }
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { play, turn } from './playing.js';
import { at, row } from './scripted-gateway.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a client that lost its connection', () => {
  it('comes back with its positions and says each message once', async () => {
    const { gateway, of, names } = await play();
    expect(gateway.last.url.searchParams.get('topics')).toBe('a');
    gateway.last.accept({ topics: [row('a', 0, { public: { stream: 'a/*', epoch: 'p1', offset: 3 } })] });
    gateway.last.push('a', 'one', at(1));
    gateway.last.push('a', 'two', at(2));
    gateway.last.push('a', 'for all', at(4, 'p1', 'a/*'));
    gateway.last.drop();
    await pass(500);
    expect(gateway.sockets).toHaveLength(2);
    expect(gateway.last.recover).toBe('a:e1:2,a/*:p1:4');
    gateway.last.accept({
      topics: [
        row('a', 3, {
          recovered: true,
          replayed: 1,
          public: { stream: 'a/*', epoch: 'p1', offset: 4, recovered: true, replayed: 0 },
        }),
      ],
    });
    for (const offset of [2, 3, 3]) gateway.last.push('a', offset, at(offset));
    expect(of('message').map(({ payload }) => payload)).toEqual(['one', 'two', 'for all', 3]);
    expect(of('recovered')).toEqual([
      { stream: 'a/u/ann', topic: 'a', replayed: 1 },
      { stream: 'a/*', topic: 'a', replayed: 0 },
    ]);
    expect(names().filter((name) => name !== 'message')).toEqual([
      'connected',
      'disconnected',
      'reconnecting',
      'connected',
      'recovered',
      'recovered',
    ]);
  });

  it('says what may be missing before it says what is still there', async () => {
    const { gateway, told, of } = await play({ positions: { 'a/u/ann': { epoch: 'e0', offset: 9 } } });
    expect(gateway.last.recover).toBe('a:e0:9');
    gateway.last.accept({ topics: [row('a', 2, { recovered: false, replayed: 2 })] });
    gateway.last.push('a', 1, at(1));
    gateway.last.push('a', 2, at(2));
    expect(told.map(({ name }) => name)).toEqual(['connected', 'lost', 'message', 'message']);
    gateway.last.push('a', 3, at(1, 'e2'));
    expect(of('lost')).toEqual([
      { stream: 'a/u/ann', topic: 'a', why: 'history', replayed: 2 },
      { stream: 'a/u/ann', topic: 'a', why: 'epoch', replayed: 0 },
    ]);
  });

  it('waits longer each time, up to the cap, until a connection has stood for a while', async () => {
    const { gateway, of } = await play({ backoff: { baseMs: 100, capMs: 1000 } });
    for (let attempt = 0; attempt < 6; attempt++) {
      gateway.last.drop();
      await turn();
      await pass(of('reconnecting').at(-1)!.delayMs);
    }
    expect(of('reconnecting').map(({ delayMs }) => delayMs)).toEqual([99, 199, 399, 799, 999, 999]);
    expect(of('reconnecting').map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    gateway.last.accept();
    gateway.last.drop();
    await turn();
    expect(of('reconnecting').at(-1)).toMatchObject({ attempt: 0, delayMs: 999 });
    await pass(1000);
    gateway.last.accept();
    await pass(3000);
    gateway.last.drop();
    await turn();
    expect(of('reconnecting').at(-1)).toMatchObject({ attempt: 0, delayMs: 99 });
  });

  it('is back when the gateway asked for it, at another address', async () => {
    const { gateway, of } = await play({ url: ['ws://one/ws', 'ws://two/ws'] });
    gateway.last.accept();
    gateway.last.say({ rid: -1, event: 'reconnect', status: 'ok', payload: { reason: 'drain', after_ms: 1234 } });
    await pass(100);
    gateway.last.drop(4000, 'drain');
    await turn();
    expect(of('reconnecting')).toEqual([{ attempt: 0, delayMs: 1134, code: 4000, reason: 'drain' }]);
    await pass(1133);
    expect(gateway.sockets).toHaveLength(1);
    await pass(1);
    expect(gateway.last.url.host).toBe('two');
  });

  it('leaves by itself when the close after a reconnect frame does not come', async () => {
    const { gateway } = await play({ url: ['ws://one/ws', 'ws://two/ws'] });
    gateway.last.accept();
    gateway.last.say({ rid: -1, event: 'reconnect', status: 'ok', payload: { reason: 'drain', after_ms: 500 } });
    await pass(500);
    expect(gateway.sockets[0]!.closedWith).toEqual([1000, 'reconnect']);
    await pass(1);
    expect(gateway.last.url.host).toBe('two');
  });

  it('goes from address to address while none answers, and stays with the one that does', async () => {
    const urls = ['ws://one/ws', 'ws://two/ws', 'ws://three/ws'];
    const { gateway } = await play({ url: urls, backoff: { baseMs: 1, capMs: 1 } });
    for (let attempt = 0; attempt < 4; attempt++) {
      gateway.last.drop();
      await pass(1);
    }
    gateway.last.accept();
    gateway.last.drop();
    await pass(1);
    expect(gateway.sockets.map(({ url }) => url.host)).toEqual(['one', 'two', 'three', 'one', 'two', 'two']);
  });

  it('gives up an attempt that gets no answer, and takes nothing from it any more', async () => {
    const { gateway, of } = await play({ connectTimeoutMs: 3000 });
    await pass(3000);
    expect(of('error')).toMatchObject([{ code: 'connect_failed' }]);
    expect(gateway.sockets[0]!.closedWith).not.toBeNull();
    await pass(500);
    gateway.sockets[0]!.accept({ connection: 'too late' });
    expect(of('connected')).toEqual([]);
    gateway.last.accept({ connection: 'in time' });
    expect(of('connected')).toMatchObject([{ connection: 'in time' }]);
  });

  it('notices that nothing is heard any more, and does not wait for the dead socket', async () => {
    const { gateway, of } = await play();
    gateway.last.accept({ heartbeat_ms: 1000 });
    await pass(1500);
    expect(gateway.last.lastRequest.command).toBe('ping');
    gateway.last.answer({ time: 'now' });
    await pass(1500);
    expect(gateway.last.requests).toHaveLength(2);
    await pass(1000);
    expect(of('disconnected')).toEqual([{ code: 1006, reason: 'nothing was heard' }]);
    await pass(500);
    expect(gateway.sockets).toHaveLength(2);
  });

  it('is one of a crowd: it comes back within 2 s, or what the gateway says', async () => {
    const { gateway, of } = await play();
    const lost = async (connected: object, code: number): Promise<number> => {
      gateway.last.accept(connected);
      await pass(3000);
      gateway.last.drop(code);
      await turn();
      const { delayMs } = of('reconnecting').at(-1)!;
      await pass(delayMs);
      return delayMs;
    };
    expect(await lost({ reconnect_spread_ms: undefined }, 1006)).toBe(1999);
    expect(await lost({ reconnect_spread_ms: 45_000 }, 1006)).toBe(44_999);
    expect(await lost({ reconnect_spread_ms: 45_000 }, 1012)).toBe(44_999);
    // Not a lost node: this one connection was ended.
    expect(await lost({ reconnect_spread_ms: 45_000 }, 4001)).toBe(499);
  });

  it('comes back at once when it is told to', async () => {
    const { client, gateway } = await play();
    gateway.last.drop();
    await pass(100);
    client.reconnect();
    await turn();
    expect(gateway.sockets).toHaveLength(2);
    gateway.last.accept();
    client.reconnect();
    await pass(1);
    expect(gateway.sockets.map(({ closedWith }) => closedWith)).toEqual([null, [1000, 'reconnect'], null]);
  });

  it('asks again with a position when a fresh stream moved on before anything of it came', async () => {
    const { gateway, of, names } = await play();
    gateway.last.accept({ topics: [row('a', 5)] });
    gateway.last.drop();
    await pass(500);
    expect(gateway.last.recover).toBeNull();
    gateway.last.accept({ topics: [row('a', 7)] });
    gateway.last.push('a', 'too early', at(7));
    await turn();
    expect(gateway.sockets).toHaveLength(3);
    expect(gateway.last.recover).toBe('a:e1:5');
    gateway.last.accept({ topics: [row('a', 7, { recovered: true, replayed: 2 })] });
    gateway.last.push('a', 6, at(6));
    gateway.last.push('a', 7, at(7));
    expect(of('message').map(({ payload }) => payload)).toEqual([6, 7]);
    // The connection in between was none for the application.
    expect(names().filter((name) => name.endsWith('connected'))).toEqual(['connected', 'disconnected', 'connected']);
  });

  it('forgets the streams of another user when the token changes hands', async () => {
    const { gateway, names, client } = await play({ positions: { 'a/u/bob': { epoch: 'b', offset: 3 } } });
    expect(gateway.last.recover).toBe('a:b:3');
    gateway.last.accept({ topics: [row('a', 2, { recovered: false, replayed: 1 })] });
    gateway.last.push('a', 2, at(2));
    expect(names()).toEqual(['connected', 'message']);
    expect(client.positions()).toEqual({ 'a/u/ann': { epoch: 'e1', offset: 2 } });
  });
});

describe('a client is closed for good', () => {
  it.each([
    [4500, 'fraud'],
    [4501, 'session_replaced'],
    [4504, 'revoked'],
    [1000, ''],
  ])('by %i', async (code, reason) => {
    const { client, gateway, names } = await play();
    gateway.last.accept();
    gateway.last.drop(code, reason);
    expect(await client.closed).toEqual({ why: 'gateway', code, reason });
    await pass(3_600_000);
    expect(gateway.sockets).toHaveLength(1);
    expect(names()).toEqual(['connected', 'disconnected', 'closed']);
    expect(client.state).toBe('closed');
    await expect(client.ready()).rejects.toMatchObject({ code: 'closed' });
  });

  it('by maxAttempts failures in a row', async () => {
    const { client, gateway, of } = await play({ maxAttempts: 3, backoff: { baseMs: 1, capMs: 1 } });
    gateway.last.drop();
    await pass(1);
    gateway.last.accept();
    gateway.last.drop();
    await pass(1);
    for (let attempt = 0; attempt < 3; attempt++) {
      gateway.last.drop(1006, 'refused');
      await pass(1);
    }
    expect(gateway.sockets).toHaveLength(5);
    expect(of('closed')).toEqual([{ why: 'attempts', code: 1006, reason: 'refused' }]);
    expect(await client.closed).toMatchObject({ why: 'attempts' });
  });

  it('by close(), whatever it is doing just then', async () => {
    const moments = {
      connecting: () => undefined,
      connected: ({ gateway }: Awaited<ReturnType<typeof play>>) => gateway.last.accept(),
      waiting: ({ gateway }: Awaited<ReturnType<typeof play>>) => gateway.last.drop(),
    };
    for (const moment of Object.values(moments)) {
      const theatre = await play();
      const { client, gateway, of } = theatre;
      moment(theatre);
      await turn();
      expect(await client.close()).toEqual({ why: 'client', code: 1000, reason: '' });
      await client.close();
      await pass(60_000);
      expect(gateway.sockets).toHaveLength(1);
      expect(of('closed')).toHaveLength(1);
      expect(jest.getTimerCount()).toBe(0);
    }
    const asking = await play({ token: () => new Promise<string>(() => undefined) });
    expect(await asking.client.close()).toMatchObject({ why: 'client' });
    expect(asking.gateway.sockets).toHaveLength(0);
  });

  it('by a WebSocket class that does not work here', async () => {
    const { client } = await play({
      WebSocket: class {
        constructor() {
          throw new Error('insecure');
        }
        send(): void {}
        close(): void {}
      },
    });
    expect(await client.closed).toEqual({ why: 'failed', code: 0, reason: 'insecure' });
  });
});

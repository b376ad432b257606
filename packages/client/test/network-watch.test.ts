import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { play, turn } from './playing.js';

/** A page, as far as the client looks at it. */
const window = new EventTarget();
const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });

beforeEach(() => {
  jest.useFakeTimers();
  Object.assign(globalThis, {
    document,
    addEventListener: window.addEventListener.bind(window),
    removeEventListener: window.removeEventListener.bind(window),
  });
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  for (const name of ['document', 'addEventListener', 'removeEventListener']) Reflect.deleteProperty(globalThis, name);
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a client that waits for its next attempt', () => {
  it.each([
    ['the network comes back', () => window.dispatchEvent(new Event('online'))],
    ['the page comes from the back/forward cache', () => window.dispatchEvent(new Event('pageshow'))],
    ['the page is thawed', () => document.dispatchEvent(new Event('resume'))],
    ['somebody looks at the page', () => document.dispatchEvent(new Event('visibilitychange'))],
  ])('makes it when %s', async (_what, happen) => {
    const { client, gateway } = await play({ backoff: { baseMs: 60_000, capMs: 60_000 } });
    gateway.last.drop();
    await pass(5000);
    expect(gateway.sockets).toHaveLength(1);
    happen();
    await turn();
    expect(gateway.sockets).toHaveLength(2);
    await client.close();
  });

  it('waits as ever when that attempt fails, too', async () => {
    const { client, gateway, of } = await play({ backoff: { baseMs: 60_000, capMs: 60_000 } });
    gateway.last.drop();
    await pass(5000);
    window.dispatchEvent(new Event('online'));
    await turn();
    gateway.last.drop();
    await turn();
    expect(of('reconnecting').at(-1)!.delayMs).toBe(59_999);
    await client.close();
  });

  it('is not woken by a page that nobody looks at', async () => {
    const { client, gateway } = await play({ backoff: { baseMs: 60_000, capMs: 60_000 } });
    gateway.last.drop();
    await pass(5000);
    document.visibilityState = 'hidden';
    document.dispatchEvent(new Event('visibilitychange'));
    document.visibilityState = 'visible';
    await turn();
    expect(gateway.sockets).toHaveLength(1);
    await client.close();
  });
});

describe('a client that is connected', () => {
  it.each([
    ['offline', window],
    ['online', window],
    ['pageshow', window],
    ['resume', document],
    ['visibilitychange', document],
  ])('asks within 5 s whether anybody is there: %s', async (name, target) => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    target.dispatchEvent(new Event(name));
    expect(gateway.last.lastRequest.command).toBe('ping');
    gateway.last.answer({});
    await pass(5000);
    expect(of('disconnected')).toEqual([]);
    target.dispatchEvent(new Event(name));
    await pass(5000);
    expect(of('disconnected')).toMatchObject([{ code: 1006 }]);
    await client.close();
  });

  it('asks when the machine has slept: the clock went on while timers stood', async () => {
    const { client, gateway } = await play();
    gateway.last.accept();
    await pass(10_000);
    expect(gateway.last.requests).toEqual([]);
    jest.setSystemTime(Date.now() + 3_600_000);
    await pass(10_000);
    expect(gateway.last.lastRequest.command).toBe('ping');
    await client.close();
  });
});

describe('a client that is closed', () => {
  it('listens to nothing any more', async () => {
    const { client, gateway } = await play();
    gateway.last.drop();
    await client.close();
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('resume'));
    await pass(60_000);
    expect(gateway.sockets).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('an attempt that began on another network', () => {
  it('is given up for one through the new one', async () => {
    const { client, gateway } = await play();
    await pass(1000);
    window.dispatchEvent(new Event('online'));
    await pass(1);
    expect(gateway.sockets.map(({ closedWith }) => closedWith !== null)).toEqual([true, false]);
    await client.close();
  });
});

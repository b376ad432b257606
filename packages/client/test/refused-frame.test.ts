import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { play, turn } from './playing.js';
import { at, row } from './scripted-gateway.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a client that is refused by a frame', () => {
  it.each([
    [{ code: 'unknown_topic', message: 'known topics: b', http: 400 }, 4600, 'unknown_topic'],
    [
      { code: 'user_blocked', message: 'blocked', http: 403, reason: 'fraud', expires_at: '2027-01-01T00:00:00Z' },
      4500,
      'fraud',
    ],
    [{ code: 'unknown_hub', message: 'no such hub', http: 404 }, 4604, 'unknown_hub'],
    [{ code: 'of_a_later_gateway', message: 'no', http: 403 }, 4603, 'of_a_later_gateway'],
  ])('%j is told why, and stays away', async (refused, code, reason) => {
    const { client, gateway, names, of } = await play();
    gateway.last.refuse(refused);
    expect(await client.closed).toEqual({ why: 'refused', code, reason, refusal: refused });
    expect(of('refused')).toEqual([refused]);
    expect(names()).toEqual(['refused', 'closed']);
    expect(client.status).toEqual({ state: 'closed', reason: `${refused.code}: ${refused.message}` });
    await pass(3_600_000);
    expect(gateway.sockets).toHaveLength(1);
  });

  it('comes back after as long as it was asked to, even if it is told to hurry', async () => {
    const { client, gateway, of } = await play();
    gateway.last.refuse({ code: 'full', message: 'no place', http: 503, after_ms: 7000 });
    await turn();
    expect(of('reconnecting')).toMatchObject([{ attempt: 1, code: 4203, reason: 'full', delayMs: 7499 }]);
    client.reconnect();
    await pass(6999);
    expect(gateway.sockets).toHaveLength(1);
    await pass(1);
    expect(gateway.sockets).toHaveLength(2);
  });

  it('knows it by the close where the frame was not seen', async () => {
    const { client, gateway } = await play();
    gateway.last.drop(4603, 'topic_forbidden');
    const refusal = { code: 'topic_forbidden', message: 'topic_forbidden', http: 403 };
    expect(await client.closed).toEqual({ why: 'refused', code: 4603, reason: 'topic_forbidden', refusal });
  });

  it('drops the positions that cannot be read, and says what may be lost once it is connected', async () => {
    const positions = { 'a/u/ann': { epoch: 'e:0', offset: 9 }, 'room/r': { epoch: 'e1', offset: 1 } };
    const { client, gateway, names, of } = await play({ positions });
    expect(gateway.last.recover).toBe('a:e:0:9');
    gateway.last.refuse({ code: 'bad_request', message: 'recover: not a position', http: 400 });
    await turn();
    expect(of('lost')).toEqual([]);
    await pass(1000);
    expect(gateway.last.recover).toBeNull();
    gateway.last.accept({ topics: [row('a', 12)] });
    gateway.last.push('a', 'next', at(13));
    expect(of('lost')).toEqual([{ stream: 'a/u/ann', topic: 'a', why: 'position', replayed: 0 }]);
    expect(names().slice(-3)).toEqual(['connected', 'lost', 'message']);
    expect(client.positions()).toEqual({
      'a/u/ann': { epoch: 'e1', offset: 13 },
      'room/r': { epoch: 'e1', offset: 1 },
    });
  });

  it('is closed when the request is bad without them, too', async () => {
    const { client, gateway } = await play({ positions: { 'a/u/ann': { epoch: 'e0', offset: 9 } } });
    const refused = { code: 'bad_request', message: 'too many topics', http: 400 };
    gateway.last.refuse(refused);
    await pass(1000);
    gateway.last.refuse(refused);
    expect(await client.closed).toEqual({ why: 'refused', code: 4600, reason: 'bad_request', refusal: refused });
  });
});

describe('a client whose gateway cannot say why', () => {
  const positions = { 'a/u/ann': { epoch: 'bad', offset: 9 } };
  const options = { positions, transports: ['websocket'], backoff: { baseMs: 1000, capMs: 1000 } } as const;

  it('tries without positions where plain HTTP gets through, and drops them when that proves them wrong', async () => {
    const { gateway, of } = await play(options);
    gateway.reachable = true;
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(gateway.last.recover).toBe('a:bad:9');
      gateway.last.drop();
      await pass(1000);
    }
    expect(gateway.last.recover).toBeNull();
    gateway.last.accept({ topics: [row('a', 12)] });
    await pass(1);
    // To prove it: had the network just come back, they would be good.
    expect(gateway.last.recover).toBe('a:bad:9');
    gateway.last.drop();
    await pass(1000);
    expect(gateway.last.recover).toBeNull();
    expect(of('connected')).toEqual([]);
    gateway.last.accept({ topics: [row('a', 12)] });
    expect(of('lost')).toEqual([{ stream: 'a/u/ann', topic: 'a', why: 'position', replayed: 0 }]);
  });

  it('keeps them when they are good after all', async () => {
    const { gateway, of } = await play(options);
    gateway.reachable = true;
    for (let attempt = 1; attempt <= 3; attempt++) {
      gateway.last.drop();
      await pass(1000);
    }
    gateway.last.accept({ topics: [row('a', 12)] });
    await pass(1);
    gateway.last.accept({ topics: [row('a', 12, { recovered: true, replayed: 3 })] });
    expect(of('lost')).toEqual([]);
    expect(of('recovered')).toEqual([{ stream: 'a/u/ann', topic: 'a', replayed: 3 }]);
  });

  it('keeps them while the network is away, however long', async () => {
    const { gateway } = await play(options);
    for (let attempt = 1; attempt <= 20; attempt++) {
      expect(gateway.last.recover).toBe('a:bad:9');
      gateway.last.drop();
      await pass(1000);
    }
  });
});

describe('what the gateway says of a stream without an epoch', () => {
  it('is not kept', async () => {
    const { client, gateway } = await play({
      positions: { 'a/u/ann': { epoch: '', offset: 0 }, 'a/*': null, x: { epoch: 'e', offset: -1 } } as never,
    });
    expect(gateway.last.recover).toBeNull();
    gateway.last.accept({ topics: [row('a', 0, { epoch: '' })] });
    gateway.last.push('a', 1, at(1, ''));
    expect(client.positions()).toEqual({});
  });
});

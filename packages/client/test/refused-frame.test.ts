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

  it('drops the positions that cannot be read, and says what may be lost once it is connected', async () => {
    const positions = { 'a/u/ann': { epoch: 'e0', offset: 9 }, 'room/r': { epoch: 'e1', offset: 1 } };
    const { client, gateway, names, of } = await play({ positions });
    expect(gateway.last.recover).toBe('a:e0:9');
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

describe('saved positions that are none any more', () => {
  it('are not sent: the gateway would refuse the whole handshake; what they stood for is told as lost', async () => {
    const bad = [
      { epoch: '', offset: 0 },
      { epoch: 'e:1', offset: 1 },
      { epoch: 'e1', offset: -1 },
      { epoch: 'e1' },
      null,
    ];
    const positions = Object.fromEntries(bad.map((position, at) => [`t${at}/u/an/n`, position]));
    const { gateway, of, told } = await play({
      topics: ['a', 't0'],
      positions: { ...positions, 'room/r': {} } as never,
    });
    expect(gateway.last.recover).toBeNull();
    gateway.last.accept({ topics: [row('a', 0)] });
    expect(told[0]!.name).toBe('connected');
    expect(of('lost')).toEqual([
      ...bad.map((_, at) => ({ stream: `t${at}/u/an/n`, topic: `t${at}`, why: 'position', replayed: 0 })),
      { stream: 'room/r', room: 'r', why: 'position', replayed: 0 },
    ]);
  });
});

describe('what the gateway says of a stream without an epoch', () => {
  it('is not kept', async () => {
    const { client, gateway } = await play();
    gateway.last.accept({ topics: [row('a', 0, { epoch: '' })] });
    gateway.last.push('a', 1, at(1, ''));
    expect(client.positions()).toEqual({});
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { play, turn } from './playing.js';
import { at, row } from './scripted-gateway.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a topic subscribed by command', () => {
  it('rides in the handshake from then on, with its position', async () => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    const subscribed = client.subscribe(['b', { topic: 'c', epoch: 'e1', offset: 4 }]);
    expect(gateway.last.lastRequest).toMatchObject({
      command: 'subscribe',
      options: { topics: ['b', { topic: 'c', epoch: 'e1', offset: 4 }] },
    });
    const rows = [row('b', 0), row('c', 6, { recovered: true, replayed: 2 })];
    gateway.last.answer({ topics: rows });
    // In the same turn as the answer, as one chunk of the network would bring them.
    gateway.last.push('c', 5, at(5, 'e1', 'c/u/ann'));
    expect(await subscribed).toEqual(rows);
    expect(of('recovered')).toEqual([{ stream: 'c/u/ann', topic: 'c', replayed: 2 }]);
    gateway.last.drop();
    await pass(500);
    expect(gateway.last.url.searchParams.get('topics')).toBe('a,b,c');
    expect(gateway.last.recover).toBe('b:e1:0,c:e1:5');
  });

  it('waits for a connection, and for the next one when the answer did not come', async () => {
    const { client, gateway } = await play();
    const subscribed = client.subscribe('b');
    await turn();
    expect(gateway.last.requests).toEqual([]);
    gateway.last.accept();
    expect(gateway.last.lastRequest.command).toBe('subscribe');
    gateway.last.drop();
    await pass(500);
    // Not confirmed yet: a topic that does not exist must not cost the handshake.
    expect(gateway.last.url.searchParams.get('topics')).toBe('a');
    gateway.last.accept();
    expect(gateway.last.requests).toHaveLength(1);
    gateway.last.answer({ topics: [row('b', 3)] });
    expect(await subscribed).toMatchObject([{ topic: 'b', offset: 3 }]);
  });

  it('is not remembered when it is refused', async () => {
    const { client, gateway } = await play();
    gateway.last.accept();
    const subscribed = client.subscribe('nope');
    gateway.last.answer({ code: 'unknown_topic', message: 'known topics: a' }, 'forbidden');
    await expect(subscribed).rejects.toMatchObject({
      name: 'AnswerError',
      status: 'forbidden',
      code: 'unknown_topic',
      message: 'known topics: a',
    });
    gateway.last.drop();
    await pass(500);
    gateway.last.accept();
    expect(gateway.last.url.searchParams.get('topics')).toBe('a');
    expect(gateway.last.requests).toEqual([]);
  });

  // The next handshake named what the token no longer allows, and was refused for good.
  it('is not asked for again when the gateway says that it was left, and neither is a key', async () => {
    const { client, gateway } = await play({ topics: ['a', 'b', 'q/k/A', 'q/k/B'] });
    gateway.last.accept();
    const payload = { topics: [{ topic: 'b' }, { topic: 'q', keys: ['A'] }], rooms: [] };
    gateway.last.say({ rid: -1, event: 'left', status: 'ok', payload });
    expect(client.topics).toEqual(['a', 'q/k/B']);
    gateway.last.drop();
    await pass(500);
    expect(gateway.last.url.search).toBe('?topics=a%2Cq&key.q=B');
  });

  it('is gone after unsubscribe, with its positions', async () => {
    const { client, gateway } = await play();
    gateway.last.accept({ topics: [row('a', 3)] });
    const left = client.unsubscribe('a');
    gateway.last.push('a', 4, at(4));
    gateway.last.answer({ topics: ['a'] });
    await left;
    expect(client.positions()).toEqual({});
    gateway.last.drop();
    await pass(500);
    expect(gateway.last.url.search).toBe('');
  });

  it('that was given up before it was confirmed is not asked for again', async () => {
    const { client, gateway } = await play({ topics: [] });
    const waiting = client.subscribe('b');
    await client.unsubscribe('b');
    expect(await waiting).toEqual([]);
    gateway.last.accept();
    expect(gateway.last.requests).toEqual([]);
    const asked = client.subscribe('c');
    const left = client.unsubscribe('c');
    gateway.last.drop();
    expect(await asked).toEqual([]);
    await left;
    await pass(500);
    gateway.last.accept();
    expect(gateway.last.requests).toEqual([]);
    expect(gateway.last.url.search).toBe('');
  });

  it('is rejected when the client is closed first', async () => {
    const { client } = await play();
    const subscribed = expect(client.subscribe('b')).rejects.toMatchObject({ code: 'closed' });
    const closed = client.close();
    await subscribed;
    await closed;
    await expect(client.subscribe('b')).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('two who want the same at once', () => {
  it('share one subscription, also with what each wants alone', async () => {
    const { client, gateway } = await play({ topics: [] });
    const [one, two] = [client.subscribe('b'), client.subscribe(['b', 'c'])];
    await turn();
    gateway.last.accept();
    expect(gateway.last.requests.map(({ options }) => options)).toEqual([{ topics: ['b'] }]);
    gateway.last.answer({ topics: [row('b', 3)] });
    expect(await one).toEqual([row('b', 3)]);
    await turn();
    expect(gateway.last.lastRequest.options).toEqual({ topics: ['c'] });
    gateway.last.answer({ topics: [row('c', 1)] });
    expect(await two).toEqual([row('b', 3), row('c', 1)]);
  });

  it('are not refused for what the other one wants', async () => {
    const { client, gateway } = await play({ topics: [] });
    gateway.last.accept();
    const refused = expect(client.subscribe(['b', 'nope'])).rejects.toMatchObject({ code: 'unknown_topic' });
    const mine = client.subscribe('b');
    gateway.last.answer({ code: 'unknown_topic', message: 'known topics: b' }, 'forbidden');
    await refused;
    await turn();
    gateway.last.answer({ topics: [row('b', 0)] });
    expect(await mine).toEqual([row('b', 0)]);
  });

  it('enter a room one after the other', async () => {
    const { client, gateway } = await play({ topics: [] });
    gateway.last.accept();
    const entered = [client.enter('r'), client.enter('r')];
    expect(gateway.last.requests).toHaveLength(1);
    gateway.last.answer({ room: 'r' });
    await turn();
    gateway.last.answer({ room: 'r' });
    expect(await Promise.all(entered)).toEqual([{ room: 'r' }, { room: 'r' }]);
  });
});

describe('a command that got no answer in time', () => {
  it.each(['subscribe', 'enter'] as const)('%s is undone: the client comes back without it', async (command) => {
    const { client, gateway } = await play();
    gateway.last.accept({ heartbeat_ms: 0, topics: [row('a', 3)] });
    const failed = expect(client[command]('b')).rejects.toMatchObject({ code: 'timeout' });
    await pass(10_000);
    await failed;
    await pass(1);
    expect(gateway.sockets).toHaveLength(2);
    gateway.last.accept({ topics: [row('a', 3, { recovered: true, replayed: 0 })] });
    expect(gateway.last.url.searchParams.get('topics')).toBe('a');
    expect(gateway.last.requests).toEqual([]);
  });

  it('unsubscribe is carried out by the next connection', async () => {
    const { client, gateway } = await play();
    gateway.last.accept({ heartbeat_ms: 0 });
    const left = client.unsubscribe('a');
    await pass(10_000);
    await left;
    await pass(1);
    expect(gateway.last.url.search).toBe('');
  });
});

describe('a room', () => {
  it('is entered again on each connection, where it was left', async () => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    const entered = client.enter('r');
    expect(gateway.last.lastRequest).toMatchObject({ command: 'enter', options: { room: 'r' } });
    gateway.last.answer({ room: 'r', stream: 'room/r', epoch: 'e1', offset: 4 });
    expect(await entered).toMatchObject({ room: 'r', offset: 4 });
    gateway.last.push('room', 'hello', at(5, 'e1', 'room/r'));
    gateway.last.drop();
    await pass(500);
    gateway.last.accept();
    expect(gateway.last.lastRequest).toMatchObject({
      command: 'enter',
      options: { room: 'r', epoch: 'e1', offset: 5 },
    });
    gateway.last.answer({ room: 'r', stream: 'room/r', epoch: 'e2', offset: 1, recovered: false, replayed: 1 });
    expect(of('lost')).toEqual([{ stream: 'room/r', room: 'r', why: 'history', replayed: 1 }]);
  });

  it('that is refused later is left, and said', async () => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    const entered = client.enter('r');
    gateway.last.answer({ room: 'r' });
    await entered;
    gateway.last.drop();
    await pass(500);
    gateway.last.accept();
    gateway.last.answer({ code: 'room_forbidden', message: 'no more' }, 'forbidden');
    await turn();
    expect(of('error')).toMatchObject([{ name: 'AnswerError', code: 'room_forbidden' }]);
    gateway.last.drop();
    await pass(1000);
    gateway.last.accept();
    expect(gateway.last.requests).toEqual([]);
  });

  it('that is refused just for now is tried again', async () => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    const entered = client.enter('r');
    gateway.last.answer({ room: 'r' });
    await entered;
    gateway.last.drop();
    await pass(500);
    gateway.last.accept({ heartbeat_ms: 0 });
    gateway.last.answer({ code: 'rate_limited', message: 'slowly' }, 'error');
    await pass(2000);
    expect(gateway.last.requests.map(({ command }) => command)).toEqual(['enter', 'enter']);
    expect(of('error')).toEqual([]);
  });

  it('is left by command, and stays left', async () => {
    const { client, gateway } = await play();
    gateway.last.accept();
    const entered = client.enter('r');
    gateway.last.answer({ room: 'r' });
    await entered;
    const left = client.leave('r');
    expect(gateway.last.lastRequest).toMatchObject({ command: 'leave', options: { room: 'r' } });
    gateway.last.answer({ room: 'r' });
    await left;
    gateway.last.drop();
    await pass(500);
    gateway.last.accept();
    expect(gateway.last.requests).toEqual([]);
  });
});

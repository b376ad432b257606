import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createClient, type ClientOptions, type Message } from '../src/index.js';
import { play, turn } from './playing.js';
import { at, row } from './scripted-gateway.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a request', () => {
  it('resolves with the payload of its own answer', async () => {
    const { client, gateway } = await play();
    gateway.last.accept();
    const [first, second] = [client.request('history', { topic: 'a' }), client.request<{ time: string }>('ping')];
    const [one, two] = gateway.last.requests;
    expect([one!.rid, two!.rid]).toEqual([1, 2]);
    gateway.last.answer({ time: 'now' }, 'ok', two);
    gateway.last.answer({ messages: [] }, 'ok', one);
    expect((await second).time).toBe('now');
    expect(await first).toEqual({ messages: [] });
  });

  it.each(['error', 'unauthorized', 'forbidden'])(
    'rejects with code and message when the answer is %s',
    async (status) => {
      const { client, gateway } = await play();
      gateway.last.accept();
      const asked = client.request('presence', { user: 'bob' });
      gateway.last.answer({ code: 'no', message: 'not bob' }, status);
      await expect(asked).rejects.toMatchObject({ command: 'presence', status, code: 'no', message: 'not bob' });
    },
  );

  it('rejects when the answer does not come in time; one that is late is nobody’s', async () => {
    const { client, gateway, of } = await play();
    gateway.last.accept();
    const asked = expect(client.request('slow', {}, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'timeout' });
    await pass(100);
    await asked;
    gateway.last.answer('late');
    expect(of('error')).toEqual([]);
  });

  it('rejects when the connection is lost, or is not there', async () => {
    const { client, gateway } = await play();
    await expect(client.request('ping')).rejects.toMatchObject({ code: 'disconnected' });
    gateway.last.accept();
    const asked = expect(client.request('ping')).rejects.toMatchObject({ code: 'disconnected' });
    gateway.last.drop();
    await asked;
    await client.close();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('listeners', () => {
  it('hear the messages of their topic until they are taken away', async () => {
    const { client, gateway } = await play();
    const heard: unknown[] = [];
    const stop = client.on('a', ({ payload }) => void heard.push(payload));
    gateway.last.accept();
    gateway.last.push('a', 1);
    gateway.last.push('b', 2);
    stop();
    gateway.last.push('a', 3);
    expect(heard).toEqual([1]);
  });

  it('may throw, reject, and come and go while they are called', async () => {
    const { client, gateway, of } = await play();
    const heard: unknown[] = [];
    client.on('a', () => {
      throw new Error('thrown');
    });
    client.on('a', () => Promise.reject(new Error('rejected')));
    const stop: () => void = client.on('a', () => stop());
    client.on('error', () => {
      throw new Error('by a listener of errors');
    });
    client.on('a', ({ payload }) => void heard.push(payload));
    gateway.last.accept();
    gateway.last.push('a', 1);
    gateway.last.push('a', 2);
    await turn();
    expect(heard).toEqual([1, 2]);
    expect(of('error').map(({ code, cause }) => [code, (cause as Error).message])).toEqual([
      ['listener_failed', 'thrown'],
      ['listener_failed', 'thrown'],
      ['listener_failed', 'rejected'],
      ['listener_failed', 'rejected'],
    ]);
  });

  it('of a topic named like an event of the client hear the event only; `message` has them all', async () => {
    const { client, gateway, of } = await play();
    const heard: unknown[] = [];
    client.on('connected', (detail) => void heard.push(detail.connection));
    gateway.last.accept();
    gateway.last.push('connected', 'a message');
    expect(heard).toEqual(['c']);
    expect(of('message')).toMatchObject([{ event: 'connected', payload: 'a message' }]);
  });
});

describe('messages()', () => {
  it('gives what comes from the call on, over reconnects, until the client is closed', async () => {
    const { client, gateway } = await play();
    const [all, own] = [client.messages(), client.messages('a')];
    gateway.last.accept();
    gateway.last.push('a', 1, at(1));
    gateway.last.push('b', 2);
    gateway.last.drop();
    await pass(500);
    gateway.last.accept();
    gateway.last.push('a', 3, at(2));
    await client.close();
    const take = async (messages: AsyncIterable<Message>): Promise<unknown[]> => {
      const payloads: unknown[] = [];
      for await (const { payload } of messages) payloads.push(payload);
      return payloads;
    };
    expect(await take(all)).toEqual([1, 2, 3]);
    expect(await take(own)).toEqual([1, 3]);
    expect(await take(client.messages())).toEqual([]);
  });

  it('is bounded per iterator', async () => {
    const { client, gateway } = await play({ bufferLimit: 10 });
    const [lazy, small] = [client.messages('a'), client.messages('a', { limit: 2 })];
    gateway.last.accept();
    for (let offset = 1; offset <= 100; offset++) gateway.last.push('a', offset, at(offset));
    expect([lazy.dropped, small.dropped]).toEqual([90, 98]);
    expect((await lazy.next()).value).toMatchObject({ payload: 91 });
  });
});

describe('what the gateway sends', () => {
  it('may be unreadable or an error: it is told, and the client goes on', async () => {
    const { gateway, of } = await play();
    gateway.last.accept();
    gateway.last.say('{broken');
    gateway.last.say('[]');
    gateway.last.say({ rid: -1, event: 'error', status: 'error', payload: { code: 'bad_request', message: 'm' } });
    gateway.last.say({ rid: -1, event: 'of a later version', status: 'ok', payload: {} });
    gateway.last.push('a', 'fine');
    expect(of('error').map(({ code }) => code)).toEqual(['gateway_error', 'gateway_error', 'gateway_error']);
    expect(of('message')).toHaveLength(1);
  });

  it('is read by the parser that is given', async () => {
    const parse = (text: string): unknown => JSON.parse(text.replace(/"payload":(\d+)/, '"payload":"$1"'));
    const { gateway, of } = await play({ parse });
    gateway.last.accept();
    gateway.last.say('{"rid":-1,"event":"a","status":"update","payload":12345678901234567890}');
    expect(of('message')).toMatchObject([{ payload: '12345678901234567890' }]);
  });
});

describe('a client that does not connect by itself', () => {
  it('is idle until it is told to, and has its subscriptions by then', async () => {
    const { client, gateway, names } = await play({ autoConnect: false });
    const subscribed = client.subscribe('b');
    await pass(60_000);
    expect([client.state, gateway.sockets.length, names()]).toEqual(['idle', 0, []]);
    client.connect();
    client.connect();
    await turn();
    expect([client.state, gateway.sockets.length]).toEqual(['connecting', 1]);
    gateway.last.accept();
    gateway.last.answer({ topics: [row('b', 0)] });
    await subscribed;
    expect(client.topics).toEqual(['a', 'b']);
  });

  it('may be closed before', async () => {
    const token = jest.fn(() => 'h.p.s');
    const { client, gateway } = await play({ autoConnect: false, token });
    expect(await client.close()).toMatchObject({ why: 'client' });
    expect([client.state, gateway.sockets.length]).toEqual(['closed', 0]);
    expect(token).not.toHaveBeenCalled();
  });
});

describe('debug', () => {
  it('tells what happens, but neither tokens nor payloads', async () => {
    const lines: string[] = [];
    const { client, gateway } = await play({ token: 'h.secret.s', debug: (line) => void lines.push(line) });
    gateway.last.accept({ topics: [row('a', 0)] });
    gateway.last.push('a', 'private', at(1));
    void client.request('ping').catch(() => undefined);
    gateway.last.drop(1006, 'gone');
    await client.close();
    expect(lines[0]).toBe('connecting to ws://one/ws (websocket)');
    expect(lines).toContain('message a a/u/ann 1');
    expect(lines).toContain('command ping');
    expect(lines).toContain('disconnected {"code":1006,"reason":"gone"}');
    expect(lines.join()).not.toMatch(/secret|private/);
  });
});

describe('options', () => {
  it.each([
    [{ url: 'not a url' }, 'url: must be an address such as wss://host/ws, not "not a url"'],
    [{}, 'url: must be given, not []'],
    [{ url: 'ftp://host' }, 'url: must be an address such as wss://host/ws, not "ftp://host"'],
    [{ url: [] }, 'url: must be given'],
    [{ url: 'ws://host', backoff: { baseMs: 0 } }, 'baseMs: must be a number above 0, not 0'],
    [{ url: 'ws://host', backoff: { base: 5 } }, 'base: must be one of baseMs, capMs, not "base"'],
    [{ url: 'ws://host', maxAttempts: NaN }, 'maxAttempts: must be a number above 0'],
    [{ url: 'ws://host', topics: 'news' }, 'topics: must be a list of texts, not "news"'],
    [{ url: 'ws://host', topics: [''] }, 'topics: must be a list of texts'],
    [{ url: 'ws://host', tokn: 'x' }, 'tokn: must be one of url, token, topics'],
    [{ url: 'ws://host', toString: 'x' }, 'toString: must be one of'],
    [{ url: 'ws://host', token: 5 }, 'token: must be a string or function, not "number"'],
    [{ url: 'ws://host', tokenIn: 'header' }, 'tokenIn: must be protocol or query, not "header"'],
    [{ url: 'ws://host', transports: ['polling'] }, 'transports: must be websocket or sse, not "polling"'],
    [{ url: 'ws://host', transports: [] }, 'transports: must be given, not []'],
    [{ url: 'ws://host', positions: [] }, 'positions: must be a object, not []'],
    [{ url: 'ws://host', autoConnect: 'no' }, 'autoConnect: must be a boolean, not "no"'],
  ])('%j cannot be used', (options, message) => {
    const create = () => createClient(options as ClientOptions);
    expect(create).toThrow(expect.objectContaining({ code: 'bad_option' }));
    expect(create).toThrow(message);
  });

  it('that hold a token with white space are refused, and it is not repeated', () => {
    const create = () => createClient({ url: 'ws://host', token: 'h.p.s\n' });
    expect(create).toThrow(expect.objectContaining({ code: 'bad_token' }));
    expect(create).not.toThrow('h.p.s');
  });

  it('may be left undefined', async () => {
    const { gateway } = await play({ topics: undefined, token: undefined } as object);
    expect(gateway.last.url.href).toBe('ws://one/ws');
  });

  it('may name an http address', async () => {
    const { gateway } = await play({ url: 'https://host/ws#part' });
    expect(gateway.last.url.href).toBe('wss://host/ws?topics=a');
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { waitFor } from '@ws-gateway/testkit';
import { createClient, type Client, type ClientOptions } from '../src/index.js';
import { EventStreamReader } from '../src/event-stream.js';
import { SseServer } from './sse-server.js';

let server: SseServer;
let client: Client;
let told: { readonly name: string; readonly detail: unknown }[];

beforeEach(async () => {
  server = await SseServer.start();
  told = [];
});
afterEach(async () => {
  await client?.close();
  await server.stop();
});

function open(options: Partial<ClientOptions> = {}): Client {
  const url = `ws://127.0.0.1:${server.port}/ws`;
  client = createClient({ url, token: 'h.p.s', topics: ['a'], backoff: { baseMs: 5, capMs: 20 }, ...options });
  for (const name of ['message', 'connected', 'disconnected', 'recovered', 'lost', 'refused', 'closed'] as const) {
    client.on(name, (detail: unknown) => void told.push({ name, detail }));
  }
  return client;
}

const names = (): string[] => told.map(({ name }) => name);
const of = (name: string): unknown[] => told.filter((event) => event.name === name).map(({ detail }) => detail);
const sse = { transports: ['sse'] } as const;

describe('a client behind a proxy that cuts WebSockets', () => {
  it('takes server-sent events after three attempts, and gets its messages by them', async () => {
    await open().ready();
    expect(server.cut).toBe(3);
    expect(server.last.topics).toEqual(['a']);
    expect(server.last.authorization).toBe('Bearer h.p.s');
    expect(server.last.url.search).not.toContain('h.p.s');
    server.last.push('a', 'one', 1);
    await waitFor(() => of('message').length === 1);
    expect(of('message')).toMatchObject([{ event: 'a', payload: 'one' }]);
  });

  it('goes on where it was, by the same transport, when a stream ends', async () => {
    await open().ready();
    server.last.push('a', 'one', 1);
    await waitFor(() => of('message').length === 1);
    server.last.end();
    await waitFor(() => names().filter((name) => name === 'connected').length === 2);
    expect([server.cut, server.streams.length]).toEqual([3, 2]);
    expect(server.last.recover).toBe('a:e1:1');
  });

  it('says of a stream that breaks off what it says of a lost WebSocket', async () => {
    await open(sse).ready();
    server.last.breakOff();
    await waitFor(() => of('disconnected').length === 1);
    expect(of('disconnected')).toMatchObject([{ code: 1006, reason: '' }]);
  });

  // Each WebSocket that is cut costs a pause of the backoff: three in a row kept the client of a restarted node away for long.
  it('tries them in turn with WebSockets while they are what worked last', async () => {
    const client = open();
    await client.ready();
    server.refusals.push({ status: 502, code: '' });
    server.last.end();
    await waitFor(() => names().filter((name) => name === 'connected').length === 2);
    expect([server.cut, server.streams.length]).toEqual([4, 2]);
  });

  it('does not, if it was told to use WebSockets only', async () => {
    const { closed } = open({ transports: ['websocket'], maxAttempts: 6 });
    expect(await closed).toMatchObject({ why: 'attempts' });
    expect([server.cut, server.streams.length]).toEqual([6, 0]);
  });

  it('is told that there are no commands, and no rooms', async () => {
    await open().ready();
    await expect(client.request('ping')).rejects.toMatchObject({ code: 'unsupported' });
    await expect(client.enter('lobby')).rejects.toMatchObject({ code: 'unsupported' });
    await expect(client.leave('lobby')).resolves.toBeUndefined();
  });

  it('goes back to WebSockets when the gateway has no server-sent events', async () => {
    server.refusals.push({ status: 404, code: 'unknown_endpoint' });
    open();
    await waitFor(() => server.cut >= 8);
    expect(server.streams).toEqual([]);
    expect(of('closed')).toEqual([]);
  });
});

describe('topics over server-sent events', () => {
  it('are subscribed by a handshake, those of one turn by the same, and resume', async () => {
    await open(sse).ready();
    server.last.push('a', 'one', 1);
    await waitFor(() => of('message').length === 1);
    const rows = await Promise.all([client.subscribe('b'), client.subscribe(['c', 'a'])]);
    expect(rows).toMatchObject(
      [[{ topic: 'b' }], [{ topic: 'c' }, { topic: 'a' }]].map((list) =>
        expect.arrayContaining(list.map((row) => expect.objectContaining(row))),
      ),
    );
    expect(server.streams.map(({ topics }) => topics)).toEqual([['a'], ['a', 'b', 'c']]);
    expect(server.last.recover).toBe('a:e1:1');
    expect(client.topics).toEqual(['a', 'b', 'c']);
  });

  it('go on from the position that was given with one', async () => {
    await open(sse).ready();
    await client.subscribe([{ topic: 'b', epoch: 'e7', offset: 4 }]);
    expect(server.last.recover).toContain('b:e7:4');
  });

  it('are refused alone, each one that is wrong', async () => {
    await open(sse).ready();
    const unknown = { status: 400, code: 'unknown_topic' };
    server.refusals.push(unknown, unknown);
    const wrong = expect(client.subscribe('nope')).rejects.toMatchObject({ code: 'unknown_topic' });
    const right = client.subscribe('b');
    await wrong;
    expect(await right).toMatchObject([{ topic: 'b' }]);
    expect(client.topics).toEqual(['a', 'b']);
    expect(names()).not.toContain('refused');
  });

  it('that are given up are left by the next handshake', async () => {
    await open({ ...sse, topics: ['a', 'b'] }).ready();
    await client.unsubscribe('b');
    await waitFor(() => server.streams.length === 2 && client.state === 'connected');
    expect(server.last.topics).toEqual(['a']);
  });
});

describe('a stream of server-sent events', () => {
  it('that says close ends with its code and reason', async () => {
    await open(sse).ready();
    server.last.write('event: close\nretry: 10\ndata: {"code":4000,"reason":"drain","after_ms":30}\n\n');
    await waitFor(() => server.streams.length === 2);
    expect(of('disconnected')).toEqual([{ code: 4000, reason: 'drain' }]);
    await waitFor(() => client.state === 'connected');
    server.last.write('event: close\ndata: {"code":4500,"reason":"fraud"}\n\n');
    expect(await client.closed).toEqual({ why: 'gateway', code: 4500, reason: 'fraud' });
  });

  it('may carry a topic called close', async () => {
    await open({ ...sse, topics: ['close'] }).ready();
    server.last.push('close', 'a message', 1);
    await waitFor(() => of('message').length === 1);
    expect(names()).not.toContain('disconnected');
  });

  it('is dropped by the gateway with a reason that is told', async () => {
    server.refusals.push({ status: 403, code: 'user_blocked' });
    expect(await open(sse).closed).toEqual({
      why: 'refused',
      code: 403,
      reason: 'because of user_blocked',
      refusal: { code: 'user_blocked', message: 'because of user_blocked', http: 403 },
    });
  });

  it('asks for a new token when the old one is refused', async () => {
    server.refusals.push({ status: 401, code: 'token_expired' });
    let count = 0;
    await open({ ...sse, token: () => `token-${++count}` }).ready();
    expect(server.last.authorization).toBe('Bearer token-2');
    expect(of('refused')).toMatchObject([{ code: 'token_expired' }]);
  });

  it('is given up when it says nothing for one and a half heartbeats; a comment is something', async () => {
    server.accepts = false;
    open(sse);
    await waitFor(() => server.streams.length === 1);
    const [first] = server.streams;
    first!.accept({ heartbeat_ms: 400 });
    for (let beat = 0; beat < 20; beat++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      first!.write(':\n\n');
    }
    expect(server.streams).toHaveLength(1);
    await waitFor(() => server.streams.length === 2);
    expect(of('disconnected')).toEqual([{ code: 1006, reason: 'nothing was heard' }]);
    await waitFor(() => !first!.open);
  });

  it('is closed with the client', async () => {
    await open(sse).ready();
    await client.close();
    await waitFor(() => !server.last.open);
  });
});

describe('the format', () => {
  const text =
    ':hello\r\nevent: a\rdata: 1\ndata:2\n\n\ndata\n\nevent: b\ndata:  x: y\nid: 7\nretry: 10\n\nevent: c\n\n';
  const events = ['1\n2', '', ' x: y'];

  it('is read as the standard has it, in whichever pieces it comes', () => {
    for (let size = 1; size <= text.length; size++) {
      const reader = new EventStreamReader();
      const pieces = Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
        text.slice(at * size, (at + 1) * size),
      );
      expect(pieces.flatMap((piece) => reader.read(piece))).toEqual(events);
    }
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Socket } from '@ws-gateway/core';
import { clientFrame, handshakeLines, RawClient } from './support/raw-client.js';
import { startTransport, until, type Running, type TestConnection } from './support/test-edge.js';
import { WsClient } from './support/ws-client.js';

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

let running: Running;

beforeEach(async () => {
  running = await startTransport({ maxPayloadBytes: 64 * 1024 });
});

afterEach(() => running.stop());

async function open(path?: string): Promise<{ ws: WsClient; connection: TestConnection; socket: Socket }> {
  const ws = await WsClient.open(running.port, path);
  await until(() => running.edge.connections.at(-1)?.socket !== null, 'the edge has the socket');
  const connection = running.edge.connections.at(-1)!;
  return { ws, connection, socket: connection.socket! };
}

async function openRaw(): Promise<{ raw: RawClient; connection: TestConnection; socket: Socket }> {
  const raw = new RawClient(running.port);
  await raw.upgrade();
  await until(() => running.edge.connections.at(-1)?.socket !== null, 'the edge has the socket');
  const connection = running.edge.connections.at(-1)!;
  return { raw, connection, socket: connection.socket! };
}

describe('what a client sends', () => {
  it('reaches the edge as text, and up to maxPayloadBytes', async () => {
    const { ws, connection } = await open();
    ws.socket.send('{"rid":1}');
    ws.socket.send('ä'.repeat(32 * 1024));
    await until(() => connection.messages.length === 2, 'both came');
    expect(connection.messages).toEqual(['{"rid":1}', 'ä'.repeat(32 * 1024)]);
  });

  it('closes with 1003 when it is binary', async () => {
    const { ws, connection } = await open();
    ws.socket.send(Buffer.from([1, 2, 3]));
    expect(await ws.closed()).toEqual({ code: 1003, reason: 'text frames only' });
    expect(connection).toMatchObject({ messages: [], closes: [{ code: 1003, reason: 'text frames only' }] });
  });

  it.each([64 * 1024 + 1, 1024 * 1024])('closes with 1009 when it has %i bytes', async (size) => {
    const { ws, connection } = await open();
    ws.socket.send('x'.repeat(size));
    expect((await ws.closed()).code).toBe(1009);
    expect(connection).toMatchObject({ messages: [], closes: [{ code: 1009, reason: 'message too big' }] });
  });

  it('closes with 1009 when its fragments are too large together', async () => {
    const { ws, connection } = await open();
    for (let part = 0; part < 3; part++) ws.socket.send('x'.repeat(30 * 1024), { fin: part === 2 });
    expect((await ws.closed()).code).toBe(1009);
    expect(connection.messages).toEqual([]);
  });

  it.each([
    ['invalid UTF-8', clientFrame(TEXT, Buffer.from([0xff, 0xfe])), 1007],
    ['a reserved opcode', clientFrame(3, 'x'), 1002],
    ['far too large a length', Buffer.from([0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1009],
  ])('is dropped without a close frame when it is %s, and the edge is told why', async (_, bytes, code) => {
    // A limit of uWebSockets.js: it has closed the connection before anybody is asked.
    const { raw, connection } = await openRaw();
    raw.tcp.write(bytes);
    await until(() => raw.closed && connection.closes.length > 0, 'the connection was dropped');
    expect(raw.frames()).toEqual([]);
    expect(connection.closes.map((close) => close.code)).toEqual([code]);
  });

  // uWebSockets.js answers pings, and nobody counted them: one client had the loop, or the memory, for itself.
  it.each([
    ['pings', PING],
    ['pongs', PONG],
  ])(
    'ends the socket with 4503 when it is a flood of %s, and is answered as ever when it is a few',
    async (_, opcode) => {
      const { raw, connection } = await openRaw();
      for (let count = 0; count < 20; count++) raw.frame(opcode, 'few');
      raw.frame(TEXT, 'here');
      await until(() => connection.messages.length === 1, 'the few were taken');
      if (opcode === PING) await until(() => raw.frames().length === 20, 'the few were answered');
      for (let count = 0; count < 200; count++) raw.frame(opcode, 'many');
      await until(() => connection.closes.length > 0, 'it was ended');
      expect(connection.closes).toEqual([{ code: 4503, reason: 'rate_limited' }]);
    },
  );

  it('ends the socket with the code of its own close frame', async () => {
    const { ws, connection } = await open();
    ws.socket.close(4321, 'bye');
    expect(await ws.closed()).toEqual({ code: 4321, reason: 'bye' });
    expect(connection.closes).toEqual([{ code: 4321, reason: 'bye' }]);
  });

  // uWebSockets.js takes these codes for broken: they were counted as breaches of the protocol.
  it.each([3000, 3456, 3999])(
    'tells the edge of a code that the client invented, %d, as 3000, which stands for all of them',
    async (code) => {
      const { ws, connection } = await open();
      ws.socket.close(code, 'bye');
      expect(await ws.closed()).toEqual({ code: 1005, reason: '' });
      expect(connection.closes).toEqual([{ code: 3000, reason: '' }]);
    },
  );

  it('does not hurt others when it is rubbish, pipelined behind anything', async () => {
    const rubbish = Buffer.alloc(20_000, 0xa5);
    const good = await open();
    const attackers = Array.from({ length: 20 }, () => new RawClient(running.port));
    for (const [at, raw] of attackers.entries()) {
      if (at % 4 === 0) raw.tcp.write(rubbish);
      if (at % 4 === 1) raw.request([...handshakeLines(), ''], rubbish.toString('latin1'));
      if (at % 4 === 2) raw.request(handshakeLines(), 'GET / HTTP/1.1\r\n\r\n'.repeat(500));
      if (at % 4 === 3) raw.request(['GET /nowhere HTTP/1.1', 'Host: x'], rubbish.toString('latin1'));
    }
    await until(() => attackers.every((raw) => raw.closed), 'all of them were dropped');
    await until(
      () => running.edge.connections.every((c) => c === good.connection || c.closes.length === 1),
      'each admission was undone once',
    );
    good.ws.socket.send('still here');
    await until(() => good.connection.messages.length === 1, 'the good one is served');
    expect(running.errors).toEqual([]);
    good.ws.socket.terminate();
  });
});

describe('a socket', () => {
  it('sends text and views into larger buffers as they are', async () => {
    const { ws, socket } = await open();
    const buffer = Buffer.from('..{"a":"ü"}..');
    expect(socket.send('first')).toBe('sent');
    expect(socket.send(buffer.subarray(2, buffer.length - 2))).toBe('sent');
    await until(() => ws.messages.length === 2, 'both came');
    expect(ws.messages).toEqual(['first', '{"a":"ü"}']);
    ws.socket.terminate();
  });

  it('sends what is corked in one TCP segment, in order', async () => {
    const { raw, socket } = await openRaw();
    raw.chunks.length = 0;
    socket.cork(() => {
      for (let n = 0; n < 50; n++) socket.send(`frame ${n}`);
    });
    await until(() => raw.frames().length === 50, 'all came');
    expect(raw.chunks).toHaveLength(1);
    expect(raw.frames().map((frame) => frame.payload.toString())).toEqual(
      Array.from({ length: 50 }, (_, n) => `frame ${n}`),
    );
    await raw.end();
  });

  it('does nothing and says closed after its end, within the same cork too', async () => {
    const { ws, connection, socket } = await open();
    const results: string[] = [];
    socket.cork(() => {
      results.push(socket.send('before'));
      socket.end(4000, 'drain');
      results.push(socket.send('after'));
    });
    socket.end(4001, 'again');
    socket.join('x');
    socket.leave('x');
    socket.cork(() => results.push('ran'));
    results.push(socket.send('later'), `${socket.bufferedBytes()}`);

    expect(results).toEqual(['sent', 'closed', 'closed', '0']);
    expect(await ws.closed()).toEqual({ code: 4000, reason: 'drain' });
    expect(ws.messages).toEqual(['before']);
    expect(connection.closes).toEqual([{ code: 4000, reason: 'drain' }]);
  });

  it('says closed after the client went away', async () => {
    const { raw, connection, socket } = await openRaw();
    await raw.end();
    await until(() => connection.closes.length === 1, 'closed was reported');
    expect(connection.closes[0]!.code).toBe(1006);
    expect(socket.send('x')).toBe('closed');
  });

  it('sends the FIN at once when it is ended inside its cork', async () => {
    const { raw, socket } = await openRaw();
    raw.tcp.once('end', () => raw.tcp.destroy());
    const endedAt = performance.now();
    socket.cork(() => {
      socket.send('last words');
      socket.end(4000, 'drain');
    });
    await until(() => raw.closed, 'the connection was closed');
    // Without the FIN it is a timeout that ends the connection, after 16 s.
    expect(performance.now() - endedAt).toBeLessThan(12_000);
    expect(raw.frames().map((frame) => frame.opcode)).toEqual([TEXT, CLOSE]);
  });

  it('cuts a close reason at a character boundary', async () => {
    const { ws, socket } = await open();
    socket.end(4500, 'ä'.repeat(100));
    expect(await ws.closed()).toEqual({ code: 4500, reason: 'ä'.repeat(61) });
  });

  it('accepts everything for a reader that stalls, says so, and drains in order when it reads on', async () => {
    const { raw, connection, socket } = await openRaw();
    raw.tcp.pause();
    const payload = 'x'.repeat(64 * 1024);
    let sent = 0;
    while (socket.bufferedBytes() < 2 * 1024 * 1024) {
      const result = socket.send(`${sent++}:${payload}`);
      expect(result).toBe(socket.bufferedBytes() === 0 ? 'sent' : 'buffered');
    }
    raw.tcp.resume();
    await until(() => socket.bufferedBytes() === 0, 'the backlog is gone', 20_000);
    expect(connection.drained).toBeGreaterThan(0);
    await until(() => raw.frames().length === sent, 'all came', 20_000);
    expect(raw.frames().map((frame) => Number.parseInt(frame.payload.toString('latin1', 0, 8), 10))).toEqual(
      Array.from({ length: sent }, (_, n) => n),
    );
    await raw.end();
  });
});

describe('publish', () => {
  it('reaches those who joined the channel and did not leave it, nobody else', async () => {
    const inside = await open();
    const left = await open();
    const outside = await open();
    inside.socket.join('t/*');
    left.socket.join('t/*');
    left.socket.leave('t/*');
    outside.socket.join('t/u/1');
    running.transport.publish('t/*', Buffer.from('to all of t'));
    running.transport.publish('nobody', Buffer.from('lost'));
    for (const { socket } of [inside, left, outside]) socket.send('barrier');
    for (const { ws } of [inside, left, outside])
      await until(() => ws.messages.includes('barrier'), 'the barrier came');
    expect([inside, left, outside].map(({ ws }) => ws.messages)).toEqual([
      ['to all of t', 'barrier'],
      ['barrier'],
      ['barrier'],
    ]);
    for (const { ws } of [inside, left, outside]) ws.socket.terminate();
  });

  it('keeps the order with frames sent directly, small and large', async () => {
    const { ws, socket } = await open();
    socket.join('c');
    const large = 'L'.repeat(40_000);
    running.transport.publish('c', Buffer.from('1'));
    socket.send('2');
    running.transport.publish('c', Buffer.from(large));
    socket.cork(() => socket.send('4'));
    running.transport.publish('c', Buffer.from('5'));
    socket.leave('c');
    running.transport.publish('c', Buffer.from('never'));
    socket.send('6');
    await until(() => ws.messages.includes('6'), 'the last one came');
    expect(ws.messages).toEqual(['1', '2', large, '4', '5', '6']);
    ws.socket.terminate();
  });

  it('still delivers what was published before the end of the socket', async () => {
    const { ws, socket } = await open();
    socket.join('c');
    running.transport.publish('c', Buffer.from('before'));
    socket.end(4000, 'drain');
    expect((await ws.closed()).code).toBe(4000);
    expect(ws.messages).toEqual(['before']);
  });
});

describe('an exception of the edge', () => {
  it('closes that socket with 1011, is reported, and hurts nobody else', async () => {
    const good = await open();
    const bad = await open();
    running.edge.onMessage = (connection, text) => {
      if (text === 'boom') throw new Error('boom');
      connection.socket!.send(`echo ${text}`);
    };
    bad.ws.socket.send('boom');
    expect((await bad.ws.closed()).code).toBe(1011);
    expect(running.errors).toEqual([new Error('boom')]);
    expect(bad.connection.closes.map((close) => close.code)).toEqual([1011]);
    good.ws.socket.send('hi');
    await until(() => good.ws.messages.length === 1, 'the other one is served');
    good.ws.socket.terminate();
  });

  it('in opened closes the socket with 1011', async () => {
    running.edge.onOpened = () => {
      throw new Error('no room');
    };
    const { ws, connection } = await open();
    expect((await ws.closed()).code).toBe(1011);
    expect(connection.closes.map((close) => close.code)).toEqual([1011]);
    expect(running.errors).toEqual([new Error('no room')]);
  });
});

describe('a socket whose place is wanted', () => {
  it('ends with 1006 when its peer does not answer in time, and goes on when it does', async () => {
    const { ws, connection: alive, socket: answering } = await open();
    const { raw, connection: gone, socket: silent } = await openRaw();
    answering.probe(300);
    answering.probe(300);
    silent.probe(300);
    await until(() => gone.closes.length === 1, 'the silent one was given up');
    expect(gone.closes).toEqual([{ code: 1006, reason: '' }]);
    await until(() => raw.closed, 'its connection has ended');
    ws.socket.send('still here');
    await until(() => alive.messages.includes('still here'), 'the other one goes on');
    expect(alive.closes).toEqual([]);
  });
});

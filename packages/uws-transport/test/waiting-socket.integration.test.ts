import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Admission } from '@ws-gateway/core';
import { RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';

// Clients that read refusals from frames are upgraded before they are admitted.
const OFFER = { 'Sec-WebSocket-Protocol': 'wsg.v1' };
const TEXT = 1;
const CLOSE = 8;

let running: Running;
let raw: RawClient;
/** Decides about the handshake that waits. */
let decide: (admission: Admission) => void;

beforeEach(async () => {
  running = await startTransport({ maxPayloadBytes: 1000, handshakeTimeoutMs: 60_000 });
  running.edge.decide = () => new Promise((resolve) => (decide = resolve));
  raw = new RawClient(running.port);
});
afterEach(async () => {
  await raw.end();
  await running.stop();
});

const admit = (): void => decide(running.edge.admitted(running.edge.handshakes.at(-1)!));

async function closeCode(): Promise<number> {
  await until(() => raw.frames().some(({ opcode }) => opcode === CLOSE), 'a close came');
  return raw
    .frames()
    .find(({ opcode }) => opcode === CLOSE)!
    .payload.readUInt16BE();
}

describe('a client that is upgraded before it is admitted', () => {
  it('gets 101, refusal, close and the end of the connection at once, in one packet, when all is known at once', async () => {
    running.edge.decide = async () => ({
      admitted: false,
      refusal: { status: 401, code: 'token_missing', message: 'no token' },
    });
    expect((await raw.upgrade('/ws', OFFER)).headers['sec-websocket-protocol']).toBe('wsg.v1');
    await until(() => raw.closed, 'the connection was ended', 5000);
    expect(raw.chunks).toHaveLength(1);
    const [refused, close] = raw.frames();
    expect(JSON.parse(refused!.payload.toString())).toEqual({
      rid: -1,
      event: 'refused',
      status: 'error',
      payload: { code: 'token_missing', message: 'no token', http: 401 },
    });
    expect([close!.payload.readUInt16BE(), close!.payload.subarray(2).toString()]).toEqual([4601, 'token_missing']);
    expect(running.requests).toEqual([{ method: 'GET', route: '/ws', status: 101 }]);
  });

  it('is heard when it is admitted, in order and behind opened', async () => {
    await raw.upgrade('/ws', OFFER);
    for (const text of ['a', 'b']) raw.frame(TEXT, text);
    // The pong is the barrier: what came before it was read.
    raw.frame(9, 'x');
    await until(() => raw.received.includes('x'), 'the pong came');
    running.edge.onOpened = (connection) => connection.messages.push('opened');
    admit();
    raw.frame(TEXT, 'c');
    const connection = running.edge.connections[0]!;
    await until(() => connection.messages.length === 4, 'all was heard');
    expect(connection.messages).toEqual(['opened', 'a', 'b', 'c']);
  });

  it('is closed with 1009 when more waits than one frame may have, and its admission is undone', async () => {
    await raw.upgrade('/ws', OFFER);
    raw.frame(TEXT, 'x'.repeat(600));
    raw.frame(TEXT, 'x'.repeat(600));
    expect(await closeCode()).toBe(1009);
    admit();
    const connection = running.edge.connections[0]!;
    await until(() => connection.closes.length === 1, 'the admission was undone');
    expect(connection).toMatchObject({ socket: null, messages: [], closes: [{ code: 1006, reason: '' }] });
  });

  it('that goes away is undone, and the edge was told', async () => {
    let aborted = (): boolean => false;
    running.edge.decide = (_, attempt) => {
      aborted = () => attempt.aborted;
      return new Promise((resolve) => (decide = resolve));
    };
    await raw.upgrade('/ws', OFFER);
    await raw.end();
    await until(aborted, 'it was told');
    admit();
    await until(() => running.edge.connections[0]!.closes.length === 1, 'the admission was undone');
  });

  it('takes a place among the handshakes in flight', async () => {
    await running.stop();
    running = await startTransport({ maxHandshakesInFlight: 1 });
    running.edge.decide = () => new Promise((resolve) => (decide = resolve));
    raw = new RawClient(running.port);
    await raw.upgrade('/ws', OFFER);
    const second = new RawClient(running.port);
    expect((await second.upgrade('/ws', OFFER)).status).toBe(503);
    await second.end();
  });

  it('is refused after handshakeTimeoutMs, which counts as a refusal', async () => {
    await running.stop();
    running = await startTransport({ handshakeTimeoutMs: 100 });
    running.edge.decide = () => new Promise((resolve) => (decide = resolve));
    raw = new RawClient(running.port);
    await raw.upgrade('/ws', OFFER);
    expect(await closeCode()).toBe(4203);
    expect(running.edge.refusals).toEqual(['unavailable']);
  });
});

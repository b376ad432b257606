import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Admission, Attempt } from '@ws-gateway/core';
import { handshakeLines, RawClient } from './support/raw-client.js';
import { startTransport, until, type Running } from './support/test-edge.js';
import { WsClient } from './support/ws-client.js';

let running: Running;
const clients: RawClient[] = [];

function client(): RawClient {
  const made = new RawClient(running.port);
  clients.push(made);
  return made;
}

beforeEach(async () => {
  running = await startTransport({ maxHandshakesInFlight: 2 });
});

afterEach(async () => {
  for (const made of clients.splice(0)) await made.end();
  await running.stop();
});

/** An admission that the test decides when it likes. */
function heldAdmission(): { decide: (admission: Admission) => void; attempt: () => Attempt | null } {
  let decide!: (admission: Admission) => void;
  let seen: Attempt | null = null;
  running.edge.decide = (_, attempt) => {
    seen = attempt;
    return new Promise((resolve) => (decide = resolve));
  };
  return { decide: (admission) => decide(admission), attempt: () => seen };
}

describe('a handshake', () => {
  it('reaches the edge with everything the edge decides on, repeated headers joined', async () => {
    const lines = handshakeLines('/ws?token=a%20b&topics=x', {
      Authorization: 'Bearer t',
      Origin: 'https://shop.example',
      'Sec-WebSocket-Protocol': 'bearer, abc',
      Cookie: 'a=1',
    });
    const raw = client();
    raw.request([...lines, 'X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For: 5.6.7.8']);
    expect((await raw.answer()).status).toBe(101);
    expect(running.edge.handshakes).toEqual([
      {
        path: '/ws',
        query: 'token=a%20b&topics=x',
        authorization: 'Bearer t',
        header: expect.any(Function),
        origin: 'https://shop.example',
        protocols: 'bearer, abc',
        forwardedFor: '1.2.3.4, 5.6.7.8',
        remoteAddress: '127.0.0.1',
      },
    ]);
    const [handshake] = running.edge.handshakes;
    expect(['cookie', 'user-agent'].map((name) => handshake?.header(name))).toEqual(['a=1', '']);
  });

  it('gives the edge empty values for what was not sent', async () => {
    await client().upgrade('/ws');
    expect(running.edge.handshakes[0]).toEqual({
      path: '/ws',
      query: '',
      authorization: '',
      header: expect.any(Function),
      origin: null,
      protocols: '',
      forwardedFor: '',
      remoteAddress: '127.0.0.1',
    });
  });

  it('is completed after an asynchronous admission, and the frames sent in opened come first', async () => {
    running.edge.onOpened = (connection, socket) => socket.send(`hello ${connection.path}`);
    const ws = await WsClient.open(running.port, '/anything/at/all');
    await until(() => ws.messages.length === 1, 'the first frame came');
    expect(ws.messages).toEqual(['hello /anything/at/all']);
    ws.socket.terminate();
    await until(() => running.edge.connections[0]!.closes.length === 1, 'closed was reported');
    expect(running.requests).toEqual([{ method: 'GET', route: 'unknown', status: 101 }]);
  });

  it('echoes a subprotocol only when the edge selects one', async () => {
    running.edge.select = () => 'bearer';
    const chosen = await client().upgrade('/ws', { 'Sec-WebSocket-Protocol': 'bearer, abc' });
    expect(chosen.headers['sec-websocket-protocol']).toBe('bearer');

    running.edge.select = () => null;
    const none = await client().upgrade('/ws', { 'Sec-WebSocket-Protocol': 'bearer, abc' });
    expect(none.status).toBe(101);
    expect(none.headers).not.toHaveProperty('sec-websocket-protocol');
  });

  it('does not negotiate compression', async () => {
    const answer = await client().upgrade('/ws', { 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect(answer.headers).not.toHaveProperty('sec-websocket-extensions');
  });
});

describe('a refusal', () => {
  it('is an HTTP answer with code, message, details and Retry-After', async () => {
    running.edge.decide = async () => ({
      admitted: false,
      refusal: {
        status: 429,
        code: 'too_many_connections',
        message: 'try later',
        retryAfterSeconds: 7,
        details: { reason: 'per user', expires_at: null },
      },
    });
    const answer = await client().upgrade('/websocket/main');
    expect(answer.status).toBe(429);
    expect(answer.headers['retry-after']).toBe('7');
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toEqual({
      error: { code: 'too_many_connections', message: 'try later', reason: 'per user', expires_at: null },
    });
    expect(running.requests).toEqual([{ method: 'GET', route: '/websocket', status: 429 }]);
  });

  it('leaves the connection usable for another try', async () => {
    running.edge.decide = async () => ({
      admitted: false,
      refusal: { status: 401, code: 'token_missing', message: 'no token' },
    });
    const raw = client();
    expect((await raw.upgrade()).status).toBe(401);
    expect((await raw.upgrade()).status).toBe(401);
  });

  it('is 503 when the edge breaks its promise and rejects', async () => {
    running.edge.decide = () => Promise.reject(new Error('broken edge'));
    const answer = await client().upgrade();
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body).error.code).toBe('unavailable');
    expect(running.errors).toEqual([new Error('broken edge')]);
  });
});

describe('a malformed handshake', () => {
  it.each([
    ['another version', { 'Sec-WebSocket-Version': '8' }, 426, 'upgrade_required'],
    ['no version', { 'Sec-WebSocket-Version': null }, 426, 'upgrade_required'],
    ['no key', { 'Sec-WebSocket-Key': null }, 400, 'bad_request'],
    ['a short key', { 'Sec-WebSocket-Key': 'abc' }, 400, 'bad_request'],
    [
      'a key of the right length that is no base64',
      { 'Sec-WebSocket-Key': '************************' },
      400,
      'bad_request',
    ],
    ['no Connection: Upgrade', { Connection: 'keep-alive' }, 400, 'bad_request'],
  ])('with %s is refused without asking the edge', async (_, headers, status, code) => {
    const answer = await client().upgrade('/ws', headers);
    expect([answer.status, JSON.parse(answer.body).error.code]).toEqual([status, code]);
    expect(answer.headers['sec-websocket-version']).toBe(status === 426 ? '13' : undefined);
    expect(running.edge).toMatchObject({ handshakes: [], refusals: [code] });
  });

  it('without Upgrade is a plain request, whatever else it has', async () => {
    expect((await client().upgrade('/ws', { Upgrade: null })).status).toBe(426);
    expect((await client().upgrade('/nowhere', { Upgrade: null })).status).toBe(404);
    expect(running.edge.handshakes).toEqual([]);
  });
});

describe('an admission that comes too late', () => {
  it('is undone with closed when the client went away, and the edge was told', async () => {
    const held = heldAdmission();
    const raw = client();
    raw.request(handshakeLines());
    await until(() => held.attempt() !== null, 'the edge was asked');
    await raw.end();
    await until(() => held.attempt()!.aborted, 'it was told');
    held.decide(running.edge.admitted(running.edge.handshakes[0]!));
    const connection = running.edge.connections[0]!;
    await until(() => connection.closes.length > 0, 'closed was called');
    expect(connection).toMatchObject({ socket: null, closes: [{ code: 1006, reason: '' }] });
    expect(running.requests).toEqual([{ method: 'GET', route: '/ws', status: 499 }]);
  });

  it('is answered 503 after handshakeTimeoutMs, and undone with closed', async () => {
    await running.stop();
    running = await startTransport({ handshakeTimeoutMs: 100 });
    const held = heldAdmission();
    const answer = await client().upgrade();
    expect(answer.status).toBe(503);
    expect(answer.headers['retry-after']).toBe('1');
    expect(JSON.parse(answer.body).error.code).toBe('unavailable');
    expect(held.attempt()!.aborted).toBe(true);
    expect(running.edge.refusals).toEqual(['unavailable']);
    held.decide(running.edge.admitted(running.edge.handshakes[0]!));
    const connection = running.edge.connections[0]!;
    await until(() => connection.closes.length > 0, 'closed was called');
    expect(connection).toMatchObject({ socket: null, closes: [{ code: 1006, reason: '' }] });
  });

  it('is undone when the transport was closed meanwhile', async () => {
    const held = heldAdmission();
    const raw = client();
    raw.request(handshakeLines());
    await until(() => held.attempt() !== null, 'the edge was asked');
    await running.stop();
    expect(held.attempt()!.aborted).toBe(true);
    held.decide(running.edge.admitted(running.edge.handshakes[0]!));
    await until(() => running.edge.connections[0]!.closes.length === 1, 'closed was called');
  });
});

describe('the limit of handshakes in flight', () => {
  it('answers 503 to the one too many and lets others in when there is room again', async () => {
    const decisions: (() => void)[] = [];
    running.edge.decide = (handshake) =>
      new Promise((resolve) => decisions.push(() => resolve(running.edge.admitted(handshake))));
    const first = client();
    const second = client();
    first.request(handshakeLines());
    second.request(handshakeLines());
    await until(() => decisions.length === 2, 'two handshakes are in flight');

    const refused = await client().upgrade();
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(running.edge.refusals).toEqual(['unavailable']);
    for (const decide of decisions.splice(0)) decide();
    expect((await first.answer()).status).toBe(101);
    expect((await second.answer()).status).toBe(101);

    const third = client();
    third.request(handshakeLines());
    await until(() => decisions.length === 1, 'there is room again');
    decisions[0]!();
    expect((await third.answer()).status).toBe(101);
  });
});

describe('an admission that is taken back right before the upgrade', () => {
  it('is answered as a refusal: the socket is never open, and the edge hears no close of it', async () => {
    running.edge.onConfirm = () => ({ status: 503, code: 'draining', message: 'going away', retryAfterSeconds: 1 });
    const client = new RawClient(running.port);
    const answer = await client.upgrade();
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      { error: { code: 'draining', message: 'going away' } },
    ]);
    const [connection] = running.edge.connections;
    expect([connection?.socket, connection?.closes]).toEqual([null, []]);
    await client.end();
  });
});

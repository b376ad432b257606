import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackendRequestStats } from '@ws-gateway/core';
import { createCommandTable, type CommandTable } from '../src/index.js';
import { BackendServer, clientRequest, codeOf } from './backend-server.js';

const ask = { endpoints: ['/web'], backend: 'one' };
const request = clientRequest({}, { endpoint: '/web' });

let backend: BackendServer;
let table: CommandTable;
let stats: BackendRequestStats;

beforeEach(async () => {
  backend = await new BackendServer().start();
  stats = new BackendRequestStats();
  table = createCommandTable(
    {
      ask,
      put: { ...ask, method: 'PUT', body: { x: 'x' } },
      post: { ...ask, method: 'POST' },
      delete: { ...ask, method: 'DELETE' },
      part: { ...ask, answer: { total: 'data.total' }, user: ['data.id'] },
      lost: { ...ask, backend: 'two' },
      none: { ...ask, backend: 'three' },
      quick: { ...ask, backend: 'quick' },
    },
    {
      ...{ requestPoolSize: 4, requestQueueSize: 4, responseBytesMax: 10_000 },
      http: {
        one: { url: backend.url, timeoutMs: 20_000 },
        quick: { url: backend.url, timeoutMs: 200 },
        two: { url: '', timeoutMs: 300 },
      },
    },
    stats,
  );
});

afterEach(async () => {
  await table.close();
  await backend.stop();
});

async function outcomeOf(status: number, body: string) {
  backend.answer = (response) => response.writeHead(status).end(body);
  return table.execute('ask', request);
}

describe('answers of a backend', () => {
  it('of 2xx are the payload, whatever JSON they are', async () => {
    for (const body of ['{"a":[1,null]}', '[]', '"text"', '0', 'null', ' {"a":1}\n'])
      expect(await outcomeOf(200, body)).toEqual({ status: 'ok', payload: JSON.parse(body) });
    expect(await outcomeOf(204, '')).toEqual({ status: 'ok', payload: null });
  });

  it.each(['[12345678901234567890,1.5,9007199254740993]', '{"a":1.0}', '{"a":1.10}', '[1e2]', '[1E-2]', '{"a":-0}'])(
    'keep numbers as they came: %s',
    async (body) => {
      const { payload } = await outcomeOf(200, body);
      expect(JSON.stringify(payload)).toBe(body);
    },
  );

  it('of 401, 403 and other errors get their status, and their own body when it has code and message', async () => {
    const own = '{"code":"E17","message":"no","detail":[1]}';
    const cases = [
      [401, 'unauthorized', 'unauthorized'],
      [403, 'forbidden', 'forbidden'],
      [400, 'error', 'backend_error'],
      [404, 'error', 'backend_error'],
      [500, 'error', 'backend_error'],
      [503, 'error', 'backend_error'],
    ] as const;
    for (const [status, expected, code] of cases) {
      expect(await outcomeOf(status, own)).toEqual({ status: expected, payload: JSON.parse(own) });
      for (const body of ['', '<html>', '{}', '{"code":1}', '{"message":"x"}', '[]', '"x"', 'null'])
        expect(await outcomeOf(status, body)).toMatchObject({
          status: expected,
          payload: { code, message: expect.stringContaining(String(status)) },
        });
    }
  });

  it('that redirect are neither followed nor taken for an answer', async () => {
    backend.answer = (response) => response.writeHead(302, { location: '/elsewhere' }).end('{"code":1,"message":"x"}');
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    expect(backend.seen).toHaveLength(1);
  });

  it('that are no JSON, too large, cut off or not HTTP are errors', async () => {
    for (const body of ['<html>', '{"a":', '{} {}', 'NaN'])
      expect(codeOf(await outcomeOf(200, body))).toBe('backend_error');
    expect((await outcomeOf(200, JSON.stringify('x'.repeat(9_000)))).status).toBe('ok');
    expect(await outcomeOf(200, JSON.stringify('x'.repeat(10_000)))).toMatchObject({
      payload: { code: 'backend_error', message: expect.stringContaining('too large') },
    });
    backend.answer = (response) => {
      // Without a length, so that only counting can notice.
      response.write('[');
      for (let i = 0; i < 20; i++) response.write(`"${'x'.repeat(1_000)}",`);
      response.end('0]');
    };
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    backend.answer = (response) =>
      response.writeHead(200, { 'content-length': '100' }).write('[1', () => response.destroy());
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    backend.answer = (response) => response.socket?.end('nonsense\r\n\r\n');
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    expect(stats.inFlight).toBe(0);
  });

  it('that do not come in time, or only in part, are timeouts', async () => {
    backend.answer = () => undefined;
    expect(codeOf(await table.execute('quick', request))).toBe('backend_timeout');
    backend.answer = (response) => void response.write('[');
    expect(codeOf(await table.execute('quick', request))).toBe('backend_timeout');
    expect(stats).toMatchObject({ inFlight: 0 });
    expect(stats.errors.get('quick')?.values).toEqual(new Map([['timeout', 2]]));
    expect(stats.seconds.get('quick')?.count).toBe(2);
    backend.answer = (response) => response.end('1');
    expect((await table.execute('ask', request)).status).toBe('ok');
  });
});

describe('answers that are no good', () => {
  it('for their nesting are errors, whether lists, objects or both, and text may hold any brackets', async () => {
    const nested = (levels: number) => '[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2);
    expect((await outcomeOf(200, nested(100))).status).toBe('ok');
    for (const body of [nested(102), '['.repeat(9_000), '['.repeat(4_500) + ']'.repeat(4_500), '{"a":'.repeat(1_900)])
      expect(await outcomeOf(200, body)).toMatchObject({
        payload: { code: 'backend_error', message: expect.stringContaining('nested deeper than 100 levels') },
      });
    const text = JSON.stringify(`\\"${'[{'.repeat(500)}`);
    expect(await outcomeOf(200, text)).toEqual({ status: 'ok', payload: JSON.parse(text) });
    // Numbers that must stay as they came are read by another way through the same text.
    expect((await outcomeOf(200, nested(4_000).replace('1', '12345678901234567890'))).status).toBe('error');
    expect(codeOf(await outcomeOf(500, nested(4_000)))).toBe('backend_error');
  });

  it('for their types leave out what cannot be found in them', async () => {
    for (const body of ['[]', '7', 'null', '"data"', '{"data":[]}', '{"data":{"__proto__":{"total":1}}}'])
      expect(codeOf(await partOf(body))).toBe('backend_error');
    expect(await partOf('{"data":{"total":[1],"id":{}}}')).toEqual({ status: 'ok', payload: { total: [1] } });
    expect(await partOf('{"data":{"total":1,"id":12345678901234567890}}')).toMatchObject({
      user: '12345678901234567890',
    });
  });
});

async function partOf(body: string) {
  backend.answer = (response) => response.end(body);
  return table.execute('part', request);
}

describe('a connection that ends before any answer', () => {
  /** Each connection answers once and ends at the second call, as one does that was idle for too long. */
  function answerOncePerConnection(): void {
    const used = new WeakSet<object>();
    backend.answer = (response) => {
      const { socket } = response;
      if (socket === null || used.has(socket)) return void response.destroy();
      used.add(socket);
      response.end('1');
    };
  }

  it.each(['ask', 'put'])('costs nothing when the call may be made twice: %s is sent once more', async (name) => {
    answerOncePerConnection();
    for (let call = 0; call < 6; call++) expect((await table.execute(name, request)).status).toBe('ok');
    // Several kept connections that are all too old: the second attempt takes none of them.
    await Promise.all(Array.from({ length: 4 }, () => table.execute(name, request)));
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => table.execute(name, request)));
    expect(outcomes.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it.each(['post', 'delete'])('is an error when the call may have had an effect: %s is sent once', async (name) => {
    backend.answer = (response) => response.destroy();
    expect(codeOf(await table.execute(name, request))).toBe('backend_error');
    expect(backend.seen).toHaveLength(1);
  });

  it('again and again is an error after the second time', async () => {
    backend.answer = (response) => response.destroy();
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    expect(backend.seen).toHaveLength(2);
  });

  it('after a part of the answer is an error: what was asked may have had an effect', async () => {
    backend.answer = (response) =>
      response.writeHead(200, { 'content-length': '100' }).write('[1', () => response.destroy());
    expect(codeOf(await table.execute('ask', request))).toBe('backend_error');
    expect(backend.seen).toHaveLength(1);
  });
});

describe('calls', () => {
  it('are counted by command, failures by reason', async () => {
    for (const status of [200, 401, 404, 500, 503, 302]) await outcomeOf(status, '{}');
    await outcomeOf(200, 'no JSON');
    await outcomeOf(200, JSON.stringify('x'.repeat(10_000)));
    backend.answer = (response) => response.destroy();
    await table.execute('ask', request);
    expect(stats.seconds.get('ask')?.count).toBe(9);
    expect(Object.fromEntries(stats.errors.get('ask')!.values)).toEqual({
      status_3xx: 1,
      status_4xx: 2,
      status_5xx: 2,
      bad_answer: 1,
      too_large: 1,
      unreachable: 1,
    });
  });
});

describe('a backend', () => {
  it('that is not configured makes its commands unavailable, naming the key', async () => {
    expect(await table.execute('lost', request)).toEqual({
      status: 'error',
      payload: { code: 'unavailable', message: 'backends.http.two.url is not configured' },
    });
    expect(await table.execute('none', request)).toMatchObject({
      payload: { code: 'unavailable', message: expect.stringContaining('backends.http.three.url') },
    });
  });

  it('that is down is an error at once, and its address is not told', async () => {
    const { url } = backend;
    await backend.stop();
    const outcome = await table.execute('ask', request);
    expect(outcome).toMatchObject({ status: 'error', payload: { code: 'backend_error' } });
    expect(JSON.stringify(outcome)).not.toContain(new URL(url).port);
    await backend.start();
  });
});

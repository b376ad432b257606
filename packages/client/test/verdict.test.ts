import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { refusedByAnswer } from '../src/refusal.js';
import { judge } from '../src/verdict.js';

const end = (code: number, connected = true) => ({ code, connected, reason: '', refused: null, afterMs: null });
const body = (code: string): string => JSON.stringify({ error: { code, message: 'because' } });
const answered = (status: number, text: string, retryAfter: string | null = null) => ({
  ...end(1006, false),
  refused: refusedByAnswer(status, text, retryAfter),
});

/** Codes and statuses of the first table of docs/errors.md, which is made of the gateway's own. */
const refusals = Array.from(
  readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
    .split('\n## ')[1]!
    .matchAll(/^\| (\d{3}) `(\w+)` \|/gm),
  ([, status, code]) => [Number(status), code!] as const,
);

describe('after a close', () => {
  it.each([1001, 1005, 1006, 1009, 1011, 1012, 1013, 3000, 4000, 4001, 4002, 4003, 4010, 4129, 4203, 4499])(
    '%i the client comes back',
    (code) => expect(judge(end(code)).remedy).not.toBe('stop'),
  );

  it.each([1000, 4500, 4501, 4502, 4503, 4504, 4999])('%i it does not', (code) =>
    expect(judge(end(code)).remedy).toBe('stop'),
  );

  it('it asks for a new token when that is what ended', () => {
    expect(judge(end(4010)).remedy).toBe('token');
    expect(judge(end(4000)).remedy).toBe('later');
  });

  it('it tries another address when this node goes away or cannot be reached', () => {
    for (const code of [4000, 1001, 1012, 1013]) expect(judge(end(code))).toMatchObject({ nextUrl: true });
    expect(judge(end(1006, false))).toMatchObject({ nextUrl: true });
    for (const code of [1006, 4001, 4003]) expect(judge(end(code))).toMatchObject({ nextUrl: false });
  });

  it('it is one of a crowd when a node was lost, and alone when its own connection was ended', () => {
    for (const code of [1001, 1006, 1012, 4000]) expect(judge(end(code)).crowd).toBe(true);
    for (const code of [4001, 4002, 4003, 4010]) expect(judge(end(code)).crowd).toBe(false);
    expect(judge(end(1006, false)).crowd).toBe(false);
  });
});

describe('after a refusal by HTTP', () => {
  // Over server-sent events a client asked for ever for a key that its token did not list.
  it('it believes the gateway each of its codes', () => {
    expect(refusals.length).toBeGreaterThan(15);
    expect(refusals.filter(([status, code]) => refusedByAnswer(status, body(code), null).code !== code)).toEqual([]);
  });

  it.each([
    [400, 'unknown_topic'],
    [403, 'user_blocked'],
    [403, 'topic_forbidden'],
    [403, 'origin_forbidden'],
    [404, 'unknown_hub'],
    [409, 'already_connected'],
  ])('%i %s the client stops', (status, code) => expect(judge(answered(status, body(code))).remedy).toBe('stop'));

  it.each([
    [429, 'too_many_connections'],
    [503, 'draining'],
    [503, 'unavailable'],
    [503, 'full'],
    [426, 'upgrade_required'],
  ])('%i %s it comes back, not before it was told', (status, code) => {
    const told = answered(status, body(code), '2');
    expect(judge(told)).toMatchObject({ remedy: 'later', nextUrl: true });
    expect(told.refused.after_ms).toBe(2000);
  });

  it.each(['token_missing', 'token_invalid', 'token_expired'])('401 %s it tries with a new token', (code) => {
    expect(judge(answered(401, body(code))).remedy).toBe('token');
  });

  it.each([
    [403, '<html>WAF</html>'],
    [404, '<html>default backend - 404</html>'],
    [404, ''],
    [403, body('Forbidden')],
    [403, '{"error":"forbidden"}'],
    [403, body('toString')],
    [403, body('forbidden')],
    [404, body('not_found')],
    [401, '{"message":"Unauthorized"}'],
  ])('%i %s it knows no more than before: it was not the gateway', (status, text) =>
    expect(judge(answered(status, text))).toMatchObject({ remedy: 'later', unexplained: true }),
  );
});

describe('a refusal by a frame', () => {
  it('of a later gateway is judged by its status', () => {
    const by = (http: number) => judge({ ...end(4600, false), refused: { code: 'new_one', message: '', http } });
    expect([400, 401, 403, 429, 500, 503].map((http) => by(http).remedy)).toEqual([
      'stop',
      'token',
      'stop',
      'later',
      'later',
      'later',
    ]);
  });
});

describe('Retry-After', () => {
  it.each([null, undefined, '', 'soon', '-3', 'Thu, 01 Jan 1970 00:00:00 GMT'])('%p asks for nothing', (header) => {
    expect(refusedByAnswer(503, '', header)).toEqual({ code: '', message: 'refused with HTTP 503', http: 503 });
  });
});

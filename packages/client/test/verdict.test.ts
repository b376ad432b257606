import { describe, expect, it } from '@jest/globals';
import { retryAfterMs } from '../src/refusal.js';
import { judge } from '../src/verdict.js';

const end = (code: number, connected = true) => ({ code, connected, reason: '', refusal: null });
const refused = (status: number, retryAfter = 0) => ({
  ...end(1006, false),
  refusal: { status, code: '', message: '', retryAfterMs: retryAfter },
});

describe('after a close', () => {
  it.each([1001, 1005, 1006, 1009, 1011, 1012, 1013, 3000, 4000, 4001, 4002, 4003, 4010, 4499])(
    '%i the client comes back',
    (code) => expect(judge(end(code)).kind).toBe('retry'),
  );

  it.each([1000, 4500, 4501, 4502, 4503, 4504, 4999])('%i it does not', (code) =>
    expect(judge(end(code))).toEqual({ kind: 'stop' }),
  );

  it('it asks for a new token when that is what ended', () => {
    expect(judge(end(4010))).toMatchObject({ newToken: true });
    expect(judge(end(4000))).toMatchObject({ newToken: false });
  });

  it('it tries another address when this node goes away or cannot be reached', () => {
    for (const code of [4000, 1001, 1012, 1013]) expect(judge(end(code))).toMatchObject({ nextUrl: true });
    expect(judge(end(1006, false))).toMatchObject({ nextUrl: true });
    for (const code of [1006, 4001, 4003]) expect(judge(end(code))).toMatchObject({ nextUrl: false });
  });
});

describe('after a refusal by HTTP', () => {
  it.each([400, 403, 404, 409, 426, 431])('%i the client stops', (status) =>
    expect(judge(refused(status))).toEqual({ kind: 'stop' }),
  );

  it.each([429, 502, 503])('%i it comes back, not before it was told', (status) =>
    expect(judge(refused(status, 2000))).toMatchObject({ kind: 'retry', leastMs: 2000 }),
  );

  it('401 it tries with a new token', () => {
    expect(judge(refused(401))).toMatchObject({ kind: 'retry', newToken: true });
  });
});

describe('Retry-After', () => {
  it('is seconds or a date', () => {
    expect(retryAfterMs('7')).toBe(7000);
    const inAMinute = retryAfterMs(new Date(Date.now() + 60_000).toUTCString());
    expect(inAMinute).toBeGreaterThan(57_000);
    expect(inAMinute).toBeLessThanOrEqual(60_000);
  });

  it.each([undefined, '', 'soon', 'Thu, 01 Jan 1970 00:00:00 GMT'])('%p asks for nothing', (header) => {
    expect(retryAfterMs(header)).toBe(0);
  });
});

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TokenSource } from '../src/token-source.js';

beforeEach(() => void jest.useFakeTimers({ now: 1_000_000_000_000 }));
afterEach(() => void jest.useRealTimers());

const timeoutMs = 1000;
const SECOND = 1000;

function jwt(expiresInMs: number, more: object = {}): string {
  const claims = { sub: 'ann', exp: (Date.now() + expiresInMs) / 1000, ...more };
  return `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
}

describe('a token source', () => {
  it('asks once and keeps the token while it is good', async () => {
    const ask = jest.fn(() => Promise.resolve(jwt(60 * SECOND, { name: 'Jürgen ✓ ÿ' })));
    const tokens = new TokenSource(ask, { timeoutMs });
    const [first, second] = await Promise.all([tokens.get(), tokens.get()]);
    expect(second).toBe(first);
    expect(await tokens.get()).toBe(first);
    expect(ask).toHaveBeenCalledTimes(1);
    jest.setSystemTime(Date.now() + 61 * SECOND);
    await tokens.get();
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('asks again when the gateway did not like it', async () => {
    let count = 0;
    const tokens = new TokenSource(() => `token-${++count}`, { timeoutMs });
    expect(await tokens.get()).toBe('token-1');
    tokens.distrust();
    expect(await tokens.get()).toBe('token-2');
  });

  it.each([
    ['long before', 3600, 3570],
    ['half of its life before', 20, 10],
    ['not all the time, though its life is short', 4, 5],
    ['now and then, though it seems to have expired: a clock is wrong', -100, 30],
  ])('renews %s', async (_what, lifeSeconds, renewSeconds) => {
    const tokens = new TokenSource(() => jwt(lifeSeconds * SECOND), { timeoutMs });
    await tokens.get();
    expect(tokens.renewInMs(30 * SECOND)).toBe(renewSeconds * SECOND);
  });

  it('does not renew what cannot be renewed or has no end that can be read', async () => {
    const fixed = new TokenSource(jwt(3600 * SECOND), { timeoutMs });
    await fixed.get();
    expect(fixed.renewable).toBe(false);
    expect(fixed.renewInMs(0)).toBeNull();
    for (const odd of ['', 'opaque', 'a.b.c', 'h.e30.s', 'h.W10.s']) {
      const tokens = new TokenSource(() => odd, { timeoutMs });
      await tokens.get();
      expect(tokens.renewInMs(0)).toBeNull();
    }
  });

  it('says when the callback fails, gives nothing of use, or takes too long', async () => {
    const broken = new TokenSource(() => Promise.reject(new Error('login server is away')), { timeoutMs });
    await expect(broken.get()).rejects.toMatchObject({
      code: 'token_failed',
      cause: { message: 'login server is away' },
    });
    const thrown = new TokenSource(
      () => {
        throw new Error('no');
      },
      { timeoutMs },
    );
    await expect(thrown.get()).rejects.toMatchObject({ code: 'token_failed' });
    const odd = new TokenSource(() => 7 as unknown as string, { timeoutMs });
    await expect(odd.get()).rejects.toMatchObject({ code: 'bad_token' });
    const slow = new TokenSource(() => new Promise(() => undefined), { timeoutMs });
    const asked = expect(slow.get()).rejects.toMatchObject({ code: 'timeout' });
    await jest.advanceTimersByTimeAsync(timeoutMs);
    await asked;
  });

  it.each(['h.p.s\n', 'h.p s', '<!doctype html><title>Login</title>', 'h.p.s\u0000', 'Bearer h.p.s'])(
    'has no use for %j, and does not repeat it',
    async (token) => {
      expect(() => new TokenSource(token, { timeoutMs })).toThrow(
        expect.objectContaining({ code: 'bad_token', message: expect.not.stringContaining('p') }),
      );
    },
  );
});

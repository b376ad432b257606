import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { LoginTokenError, type LoginToken } from '../../src/login/login-token.js';
import { SharedLoginToken } from '../../src/login/shared-login-token.js';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** An issuer that numbers its tokens, each of which lives 60 s. */
class Issuer {
  readonly address = 'issuer';
  readonly lines: string[] = [];
  livesMs = 60_000;
  isAway = false;
  asked = 0;

  readonly tokens = new SharedLoginToken(this, this.#logger());

  async issue(): Promise<LoginToken> {
    this.asked++;
    await Promise.resolve();
    if (this.isAway) throw new LoginTokenError('login_token_unavailable', 'away');
    return { value: `token ${this.asked}`, livesMs: this.livesMs };
  }

  #logger(): Logger {
    const line = (message: string): void => void this.lines.push(message);
    return { error: line, warn: line, info: line, debug: line, child: () => this.#logger() };
  }
}

describe('A login token that connections share', () => {
  test('is fetched once for all who ask at a time', async () => {
    const issuer = new Issuer();
    const got = await Promise.all([1, 2, 3].map(() => issuer.tokens.get()));
    expect([got, issuer.asked]).toEqual([['token 1', 'token 1', 'token 1'], 1]);
  });

  test('is renewed when half of its life is over, before anybody has to wait for it', async () => {
    const issuer = new Issuer();
    await issuer.tokens.get();
    await jest.advanceTimersByTimeAsync(30_000);
    expect(issuer.asked).toBe(2);
    expect(await issuer.tokens.get()).toBe('token 2');
    expect(issuer.asked).toBe(2);
  });

  test('is renewed once and no more when nobody uses it, and fetched anew by who does', async () => {
    const issuer = new Issuer();
    await issuer.tokens.get();
    await jest.advanceTimersByTimeAsync(600_000);
    expect(issuer.asked).toBe(2);
    expect(await issuer.tokens.get()).toBe('token 3');
  });

  test('is used on while its issuer is away, as long as it is good; the log says it once', async () => {
    const issuer = new Issuer();
    await issuer.tokens.get();
    issuer.isAway = true;
    await jest.advanceTimersByTimeAsync(53_000);
    expect(await issuer.tokens.get()).toBe('token 1');
    await jest.advanceTimersByTimeAsync(1_000);
    await expect(issuer.tokens.get()).rejects.toMatchObject({ code: 'login_token_unavailable', retriable: true });
    issuer.isAway = false;
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await issuer.tokens.get()).toMatch(/^token \d+$/);
    expect(issuer.lines).toEqual([
      'kafka login token cannot be fetched, trying on',
      'kafka login token can be fetched again',
    ]);
  });

  test('that cannot be had is asked for once a second, however many connections want it', async () => {
    const issuer = new Issuer();
    issuer.isAway = true;
    for (let n = 0; n < 50; n++) {
      await expect(issuer.tokens.get()).rejects.toThrow('away');
      await jest.advanceTimersByTimeAsync(100);
    }
    expect(issuer.asked).toBeLessThanOrEqual(6);
  });

  test('that lives too short to be used is a fault that names its life', async () => {
    const issuer = new Issuer();
    issuer.livesMs = 3_000;
    await expect(issuer.tokens.get()).rejects.toThrow('issuer: the token must live 10000 ms or longer, not 3000');
  });

  test('is thrown away when the broker refuses it, unless it is fresh: the next would be like it', async () => {
    const issuer = new Issuer();
    const first = await issuer.tokens.get();
    issuer.tokens.refused(first);
    expect(await issuer.tokens.get()).toBe(first);
    await jest.advanceTimersByTimeAsync(11_000);
    issuer.tokens.refused(first);
    expect(await issuer.tokens.get()).toBe('token 2');
  });
});

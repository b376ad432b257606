import { describe, expect, it } from '@jest/globals';
import { createTokenVerifier } from '../src/index.js';
import { codeOf, makeKeyPair, NOW_MS, NOW_S, SECRET, sign } from './keys.js';
import { keySet, startJwksServer } from './jwks-server.js';

/** A verifier on a clock that the test moves. `same` says whether two answers came from one verification. */
function cached(cacheEntriesMax?: number) {
  const clock = { nowMs: NOW_MS };
  const limit = cacheEntriesMax === undefined ? {} : { cacheEntriesMax };
  const verifier = createTokenVerifier({ secret: SECRET, ...limit }, { clock: () => clock.nowMs });
  return { clock, verifier };
}

describe('the memory of verified tokens', () => {
  it('answers a known token without verifying again, for 60 seconds', async () => {
    const { clock, verifier } = cached();
    const token = await sign({ sub: 'u1' });
    const first = await verifier.verify(token);
    clock.nowMs += 59_999;
    expect(await verifier.verify(token)).toBe(first);
    clock.nowMs += 1;
    const second = await verifier.verify(token);
    expect(second).not.toBe(first);
    expect(second).toEqual(first);
  });

  it('ends at exp, to the second, with token_expired', async () => {
    const { clock, verifier } = cached();
    const token = await sign({ sub: 'u1', exp: NOW_S + 10 });
    const first = await verifier.verify(token);
    clock.nowMs += 9_999;
    expect(await verifier.verify(token)).toBe(first);
    clock.nowMs += 1;
    expect(await codeOf(verifier.verify(token))).toBe('token_expired');
    expect(verifier.cacheStatus.entries).toBe(0);
  });

  it('is of no use to a token that differs in its last character only', async () => {
    const { verifier } = cached();
    const token = await sign({ sub: 'u1' });
    await verifier.verify(token);
    const last = token.at(-1) === 'A' ? 'B' : 'A';
    // The last character of a 32-byte signature carries two unused bits, so the one before it is changed as well.
    expect(await codeOf(verifier.verify(`${token.slice(0, -2)}${last}${last}`))).toBe('token_invalid');
  });

  it('keeps a bounded number, the least recently used one goes first', async () => {
    const { verifier } = cached(2);
    const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => sign({ sub })));
    const [a = '', b = '', c = ''] = tokens;
    const first = await verifier.verify(a);
    await verifier.verify(b);
    expect(await verifier.verify(a)).toBe(first);
    await verifier.verify(c);
    expect(verifier.cacheStatus).toEqual({ entries: 2, evictions: 1 });
    expect(await verifier.verify(a)).toBe(first);
  });

  it('does not hold refused tokens', async () => {
    const { clock, verifier } = cached();
    const token = await sign({ sub: 'u1', nbf: NOW_S + 5 });
    expect(await codeOf(verifier.verify(token))).toBe('token_invalid');
    clock.nowMs += 5_000;
    expect((await verifier.verify(token)).user).toBe('u1');
  });

  it('forgets what it knew when the clock was set back', async () => {
    const { clock, verifier } = cached();
    const token = await sign({ sub: 'u1', nbf: NOW_S });
    await verifier.verify(token);
    clock.nowMs -= 1_000;
    expect(await codeOf(verifier.verify(token))).toBe('token_invalid');
  });
});

describe('identical tokens at the same time', () => {
  it('share one verification', async () => {
    const { verifier } = cached();
    const token = await sign({ sub: 'u1' });
    const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => verifier.verify(token)));
    for (const other of others) expect(other).toBe(first);
  });

  it('share a failure, and the next one tries again', async () => {
    const pair = await makeKeyPair('ES256', 'k1');
    const server = await startJwksServer((response) => response.destroy());
    try {
      const verifier = createTokenVerifier({ algorithms: ['ES256'], jwksUrl: server.url });
      const token = await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid: 'k1' });
      const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(verifier.verify(token))));
      expect(new Set(codes)).toEqual(new Set(['VerifierUnavailableError']));
      const asked = server.requests;
      // The client repeats a request once when its connection broke before any answer.
      expect(asked).toBeLessThanOrEqual(2);
      server.respond = keySet(pair.jwk);
      expect((await verifier.verify(token)).user).toBe('u1');
      expect(server.requests).toBe(asked + 1);
    } finally {
      await server.close();
    }
  });
});

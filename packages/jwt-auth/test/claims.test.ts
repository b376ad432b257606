import { describe, expect, it } from '@jest/globals';
import { createTokenVerifier, type TokenVerifierOptions } from '../src/index.js';
import { codeOf, NOW_MS, NOW_S, SECRET, sign } from './keys.js';

function verifier(options: TokenVerifierOptions = {}) {
  return createTokenVerifier({ secret: SECRET, ...options }, { clock: () => NOW_MS });
}

async function outcome(claims: Record<string, unknown>, options: TokenVerifierOptions = {}): Promise<string> {
  return codeOf(verifier(options).verify(await sign(claims)));
}

describe('claims of a verified token', () => {
  it('become the identity', async () => {
    const claims = {
      ...{ sub: 'u1', exp: NOW_S + 60, iat: NOW_S, jti: 't-1' },
      ...{ topics: ['a', 'b'], rooms: [], presence: true },
    };
    expect(await verifier().verify(await sign(claims))).toEqual({
      user: 'u1',
      expiresAtMs: NOW_MS + 60_000,
      issuedAtMs: NOW_MS,
      tokenId: 't-1',
      topics: new Set(['a', 'b']),
      rooms: new Set(),
      presence: true,
    });
  });

  it('name the token also by a number, so that it can be revoked', async () => {
    const ids = await Promise.all(
      [17, '17', true, { id: 17 }].map(async (jti) => verifier().verify(await sign({ sub: 'u1', jti }))),
    );
    expect(ids.map(({ tokenId }) => tokenId)).toEqual(['17', '17', null, null]);
  });

  it('limit nothing and never expire when they are absent', async () => {
    expect(await verifier().verify(await sign({ sub: 'u1' }))).toEqual({
      ...{ user: 'u1', expiresAtMs: null, issuedAtMs: null, tokenId: null },
      ...{ topics: null, rooms: null, presence: false },
    });
  });

  it('are refused without a user that is non-empty text of an accepted shape', async () => {
    for (const sub of [undefined, '', 7, null, ['u1'], { id: 'u1' }, 'a\nb', 'x'.repeat(129), '\ud800'])
      expect(await outcome({ sub })).toBe('token_invalid');
  });

  it('name the user by the configured claim, and never by what objects inherit', async () => {
    const token = await sign({ sub: 'u1', 'https://example.org/user': 'u2' });
    const { user } = await verifier({ userClaim: 'https://example.org/user' }).verify(token);
    expect(user).toBe('u2');
    expect(await outcome({ sub: 'u1' }, { userClaim: 'constructor' })).toBe('token_invalid');
    expect(await outcome({ sub: 'u1' }, { userClaim: '__proto__' })).toBe('token_invalid');
  });

  it('are refused when topics or rooms are not lists of names', async () => {
    for (const claim of ['topics', 'rooms'])
      for (const value of ['a', null, 1, {}, [1], ['a', null], [''], ['a b'], ['x'.repeat(129)]])
        expect(await outcome({ sub: 'u1', [claim]: value })).toBe('token_invalid');
  });

  it('list what the configuration asks for, numbers as they are written; what is no list lists nothing', async () => {
    const listClaims = ['desks', 'regions', 'constructor'];
    const claims = { sub: 'u1', desks: ['emea', 17, null, { a: 1 }, 0.5], regions: 'emea', others: ['x'] };
    const { lists } = await verifier({ listClaims }).verify(await sign(claims));
    expect(lists).toEqual(
      new Map([
        ['desks', new Set(['emea', '17'])],
        ['regions', new Set()],
        ['constructor', new Set()],
      ]),
    );
  });

  it('grant presence only by the value true', async () => {
    for (const presence of ['true', 1, {}, false, null])
      expect((await verifier().verify(await sign({ sub: 'u1', presence }))).presence).toBe(false);
  });

  it('are refused as expired from the second of exp on', async () => {
    expect(await outcome({ sub: 'u1', exp: NOW_S + 1 })).toBe('accepted');
    expect(await outcome({ sub: 'u1', exp: NOW_S })).toBe('token_expired');
    expect(await outcome({ sub: 'u1', exp: -1 })).toBe('token_expired');
  });

  it('are refused as invalid before nbf and with dates that are no numbers', async () => {
    expect(await outcome({ sub: 'u1', nbf: NOW_S })).toBe('accepted');
    expect(await outcome({ sub: 'u1', nbf: NOW_S + 1 })).toBe('token_invalid');
    expect(await outcome({ sub: 'u1', exp: 'tomorrow' })).toBe('token_invalid');
    expect(await outcome({ sub: 'u1', iat: 'today' })).toBe('token_invalid');
  });

  it('are forgiven a clock that is off by no more than the tolerance, in exp, nbf and iat', async () => {
    const clockToleranceMs = 30_000;
    for (const [claims, expected] of [
      [{ exp: NOW_S - 29 }, 'accepted'],
      [{ exp: NOW_S - 30 }, 'token_expired'],
      [{ nbf: NOW_S + 30 }, 'accepted'],
      [{ nbf: NOW_S + 31 }, 'token_invalid'],
      [{ iat: NOW_S + 30 }, 'accepted'],
      [{ iat: NOW_S + 31 }, 'token_invalid'],
    ] as const)
      expect([claims, await outcome({ sub: 'u1', ...claims }, { clockToleranceMs })]).toEqual([claims, expected]);
    expect(await outcome({ sub: 'u1', iat: NOW_S + 1 })).toBe('token_invalid');
  });

  it('end a connection at exp, tolerance or not; one that came after exp stays until the tolerance ends', async () => {
    const tolerant = verifier({ clockToleranceMs: 30_000 });
    const endOf = async (exp: number) => (await tolerant.verify(await sign({ sub: 'u1', exp }))).expiresAtMs;
    expect(await endOf(NOW_S + 5)).toBe(NOW_MS + 5_000);
    expect(await endOf(NOW_S - 5)).toBe(NOW_MS + 25_000);
  });

  it('may say an expiry beyond all dates', async () => {
    const identity = await verifier().verify(await sign({ sub: 'u1', exp: 1e300 }));
    expect(Number.isNaN(new Date(identity.expiresAtMs ?? Number.NaN).getTime())).toBe(false);
  });

  it('must have exp, issuer and audience when the configuration says so', async () => {
    expect(await outcome({ sub: 'u1' }, { requireExp: true })).toBe('token_invalid');
    expect(await outcome({ sub: 'u1', exp: NOW_S + 5 }, { requireExp: true })).toBe('accepted');
    for (const [claims, expected] of [
      [{ iss: 'me', aud: 'gw' }, 'accepted'],
      [{ iss: 'me', aud: ['x', 'gw'] }, 'accepted'],
      [{ iss: 'other', aud: 'gw' }, 'token_invalid'],
      [{ iss: 'me', aud: 'x' }, 'token_invalid'],
      [{ iss: 'me' }, 'token_invalid'],
      [{ aud: 'gw' }, 'token_invalid'],
    ] as const)
      expect(await outcome({ sub: 'u1', ...claims }, { issuer: 'me', audience: 'gw' })).toBe(expected);
  });

  it('are not limited by empty settings', async () => {
    const empty = { issuer: '', audience: '', userClaim: '', publicKeyFile: '', jwksUrl: '' };
    expect(await outcome({ sub: 'u1', iss: 'anyone' }, empty)).toBe('accepted');
  });
});

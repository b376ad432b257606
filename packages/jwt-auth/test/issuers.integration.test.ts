import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthConfigError, createTokenVerifier, type TokenVerifierOptions } from '../src/index.js';
import { codeOf, forge, makeKeyPair, SECRET, sign, type KeyPair } from './keys.js';
import { keySet, startJwksServer, type JwksServer } from './jwks-server.js';

const OTHER_SECRET = 'another-secret-of-thirty-two-bytes!!!';
const bytes = (secret: string): Uint8Array => new TextEncoder().encode(secret);

let pair: KeyPair;
let server: JwksServer;

beforeAll(async () => {
  pair = await makeKeyPair('RS256', 'k1');
  server = await startJwksServer(keySet(pair.jwk));
});
afterAll(() => server.close());

const issuers = () => [
  { issuer: 'https://keys.example', jwksUrl: server.url, audience: 'gateway' },
  { issuer: 'legacy', secret: OTHER_SECRET },
];

async function outcomes(options: TokenVerifierOptions, tokens: readonly string[]): Promise<string[]> {
  const verifier = createTokenVerifier(options);
  return Promise.all(tokens.map((token) => codeOf(verifier.verify(token))));
}

describe('several issuers', () => {
  it('are told apart by iss, each with keys, audience and algorithms of its own', async () => {
    const iss = 'https://keys.example';
    const rs = { alg: 'RS256', key: pair.privateKey, kid: 'k1' };
    const tokens = await Promise.all([
      sign({ sub: 'u1', iss, aud: 'gateway' }, rs),
      sign({ sub: 'u1', iss: 'legacy' }, { key: bytes(OTHER_SECRET) }),
      sign({ sub: 'u1', iss, aud: 'somebody' }, rs),
      sign({ sub: 'u1', iss: 'legacy' }, rs),
      sign({ sub: 'u1', iss, aud: 'gateway' }, { key: bytes(OTHER_SECRET) }),
    ]);
    const [first, second, ...others] = await outcomes({ issuers: issuers() }, tokens);
    expect([first, second]).toEqual(['accepted', 'accepted']);
    expect(others).toEqual(['token_invalid', 'token_invalid', 'token_invalid']);
  });

  it('refuse a token of an issuer that is not listed, of none, and of one that is no text', async () => {
    const key = bytes(OTHER_SECRET);
    const tokens = [
      await sign({ sub: 'u1', iss: 'stranger' }, { key }),
      await sign({ sub: 'u1' }, { key }),
      forge({ alg: 'HS256' }, { sub: 'u1', iss: ['legacy'] }),
      forge({ alg: 'HS256' }, { sub: 'u1', iss: '__proto__' }),
    ];
    expect(new Set(await outcomes({ issuers: issuers() }, tokens))).toEqual(new Set(['token_invalid']));
  });

  it('stand beside the keys of the section, which are for its own issuer, or for tokens without one', async () => {
    const own = await sign({ sub: 'u1', iss: 'me' });
    const bare = await sign({ sub: 'u1' });
    const stranger = await sign({ sub: 'u1', iss: 'stranger' });
    const legacy = await sign({ sub: 'u1', iss: 'legacy' }, { key: bytes(OTHER_SECRET) });
    const tokens = [own, bare, stranger, legacy];
    expect(await outcomes({ secret: SECRET, issuer: 'me', issuers: issuers() }, tokens)).toEqual([
      ...['accepted', 'token_invalid', 'token_invalid', 'accepted'],
    ]);
    expect(await outcomes({ secret: SECRET, issuers: issuers() }, tokens)).toEqual([
      ...['token_invalid', 'accepted', 'token_invalid', 'accepted'],
    ]);
  });

  it('never use one of them the key of another', async () => {
    const verifier = createTokenVerifier({
      issuers: [
        { issuer: 'a', secret: SECRET },
        { issuer: 'b', secret: OTHER_SECRET },
      ],
    });
    expect(await codeOf(verifier.verify(await sign({ sub: 'u1', iss: 'a' })))).toBe('accepted');
    expect(await codeOf(verifier.verify(await sign({ sub: 'u1', iss: 'b' })))).toBe('token_invalid');
  });

  it('are refused at start when one has no name, no key, or a name that is there already', () => {
    const problem = (options: TokenVerifierOptions): string => {
      try {
        createTokenVerifier(options);
      } catch (error) {
        if (error instanceof AuthConfigError) return `${error.code} ${error.message}`;
        throw error;
      }
      return 'accepted';
    };
    const legacy = { issuer: 'legacy', secret: OTHER_SECRET };
    expect(problem({ issuers: [{ secret: OTHER_SECRET }] })).toMatch(/^bad_issuer auth\.issuers\[0\]\.issuer/);
    expect(problem({ issuers: [{ issuer: 'x' }] })).toMatch(/^missing_key auth\.issuers\[0\]: /);
    expect(problem({ issuers: [legacy, legacy] })).toMatch(/^bad_issuer auth\.issuers\[1\]\.issuer/);
    expect(problem({ secret: SECRET, issuer: 'legacy', issuers: [legacy] })).toMatch(/^bad_issuer auth\.issuers/);
  });
});

describe('several secrets', () => {
  it('verify all of them, so that one can be replaced by another without refusing anybody', async () => {
    const old = await sign({ sub: 'u1' });
    const next = await sign({ sub: 'u1' }, { key: bytes(OTHER_SECRET) });
    const foreign = await sign({ sub: 'u1' }, { key: bytes('a-third-secret-of-thirty-two-bytes!!!') });
    const tokens = [old, next, foreign];
    const expected = ['accepted', 'accepted', 'token_invalid'];
    expect(await outcomes({ secret: SECRET, secrets: [OTHER_SECRET] }, tokens)).toEqual(expected);
    expect(await outcomes({ secrets: [SECRET, OTHER_SECRET] }, tokens)).toEqual(expected);
    expect(await outcomes({ secret: OTHER_SECRET, secrets: [SECRET, ''] }, tokens)).toEqual(expected);
  });

  it('say of an expired token that it has expired, whichever of them signed it', async () => {
    const tokens = await Promise.all(
      [SECRET, OTHER_SECRET].map((key) => sign({ sub: 'u1', exp: 1 }, { key: bytes(key) })),
    );
    expect(await outcomes({ secrets: [SECRET, OTHER_SECRET] }, tokens)).toEqual(['token_expired', 'token_expired']);
  });
});

import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { createTokenVerifier, type TokenVerifierDeps, type TokenVerifierOptions } from '../src/index.js';
import { codeOf, makeKeyPair, SECRET, sign, type KeyPair } from './keys.js';
import { keySet, startJwksServer, type JwksServer } from './jwks-server.js';

let server: JwksServer | undefined;

async function serve(respond: (response: ServerResponse) => void): Promise<JwksServer> {
  server = await startJwksServer(respond);
  return server;
}

afterEach(async () => {
  await server?.close();
  server = undefined;
});

function verifierOf(jwksUrl: string, options: TokenVerifierOptions = {}, deps: TokenVerifierDeps = {}) {
  return createTokenVerifier({ algorithms: ['RS256', 'ES256', 'EdDSA'], jwksUrl, ...options }, deps);
}

describe('a key set by URL', () => {
  it('serves keys of several families with one fetch', async () => {
    const pairs = await Promise.all(['RS256', 'ES256', 'EdDSA'].map((alg) => makeKeyPair(alg, `k-${alg}`)));
    const { url } = await serve(keySet(...pairs.map(({ jwk }) => jwk)));
    const verifier = verifierOf(url);
    const tokens = await Promise.all(
      pairs.map(({ jwk, privateKey }) =>
        sign({ sub: jwk.alg }, { alg: jwk.alg ?? '', key: privateKey, kid: jwk.kid ?? '' }),
      ),
    );
    const identities = await Promise.all(tokens.map((token) => verifier.verify(token)));
    expect(identities.map(({ user }) => user)).toEqual(['RS256', 'ES256', 'EdDSA']);
    expect(server?.requests).toBe(1);
  });

  it('follows a rotation: a new key id is fetched, the old key ends with the set', async () => {
    const [old, next] = await Promise.all([makeKeyPair('ES256', 'old'), makeKeyPair('ES256', 'next')]);
    const { url } = await serve(keySet(old.jwk));
    const verifier = verifierOf(url, { jwksCooldownMs: 0, cacheEntriesMax: 0 });
    const oldToken = await sign({ sub: 'u1' }, { alg: 'ES256', key: old.privateKey, kid: 'old' });
    const nextToken = await sign({ sub: 'u1' }, { alg: 'ES256', key: next.privateKey, kid: 'next' });
    expect(await codeOf(verifier.verify(oldToken))).toBe('accepted');
    expect(await codeOf(verifier.verify(nextToken))).toBe('token_invalid');
    if (server !== undefined) server.respond = keySet(next.jwk);
    expect(await codeOf(verifier.verify(nextToken))).toBe('accepted');
    expect(await codeOf(verifier.verify(oldToken))).toBe('token_invalid');
  });

  it('is fetched for an invented key id as often as a small budget allows', async () => {
    const pair = await makeKeyPair('ES256', 'k1');
    const { url } = await serve(keySet(pair.jwk));
    const time = { ms: 0 };
    const verifier = verifierOf(url, { jwksCooldownMs: 30_000 }, { monotonicClock: () => time.ms });
    const guess = async (kid: string): Promise<void> => {
      const token = await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid });
      expect(await codeOf(verifier.verify(token))).toBe('token_invalid');
    };
    for (let i = 0; i < 20; i++) await guess(`guess-${i}`);
    expect(server?.requests).toBe(6);
    time.ms += 60_000;
    for (let i = 20; i < 40; i++) await guess(`guess-${i}`);
    expect(server?.requests).toBe(8);
  });

  it('has a key that the issuer adds right after a fetch, for the first token that names it', async () => {
    const [old, next] = await Promise.all([makeKeyPair('ES256', 'old'), makeKeyPair('ES256', 'next')]);
    const { url } = await serve(keySet(old.jwk));
    const verifier = verifierOf(url);
    const tokenOf = ({ privateKey, jwk }: KeyPair, sub: string) =>
      sign({ sub }, { alg: 'ES256', key: privateKey, kid: jwk.kid ?? '' });
    expect(await codeOf(verifier.verify(await tokenOf(old, 'u1')))).toBe('accepted');
    if (server !== undefined) server.respond = keySet(old.jwk, next.jwk);
    expect(await codeOf(verifier.verify(await tokenOf(next, 'u2')))).toBe('accepted');
  });

  it('is tried key by key when the token names none', async () => {
    const [one, two, three] = await Promise.all([makeKeyPair('ES256'), makeKeyPair('ES256'), makeKeyPair('ES256')]);
    const { url } = await serve(keySet(one.jwk, two.jwk));
    const verifier = verifierOf(url);
    expect((await verifier.verify(await sign({ sub: 'u2' }, { alg: 'ES256', key: two.privateKey }))).user).toBe('u2');
    const expired = await sign({ sub: 'u2', exp: 1 }, { alg: 'ES256', key: two.privateKey });
    expect(await codeOf(verifier.verify(expired))).toBe('token_expired');
    const foreign = await sign({ sub: 'u3' }, { alg: 'ES256', key: three.privateKey });
    expect(await codeOf(verifier.verify(foreign))).toBe('token_invalid');
  });

  it('never serves an HS token, not even when the set holds a shared secret', async () => {
    const k = Buffer.from(SECRET).toString('base64url');
    const { url } = await serve(keySet({ kty: 'oct', k, alg: 'HS256', kid: 'k1' }));
    const token = await sign({ sub: 'u1' }, { kid: 'k1' });
    expect(await codeOf(verifierOf(url).verify(token))).toBe('token_invalid');
    const both = verifierOf(url, { algorithms: ['HS256', 'ES256'], secret: 'another-secret-of-enough-length!!' });
    expect(await codeOf(both.verify(token))).toBe('token_invalid');
    expect(server?.requests).toBe(0);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['answers 500', (response) => response.writeHead(500).end('{}')],
    ['redirects', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    ['answers no JSON', (response) => response.end('<html>')],
    ['answers no key set', (response) => response.end('{"keys":7}')],
    ['answers an empty key set', (response) => response.end('{"keys":[]}')],
    ['answers without end', (response) => response.write(' '.repeat(2_000_000))],
    ['answers deeply nested JSON', (response) => response.end('['.repeat(400_000))],
    ['breaks off', (response) => response.destroy()],
  ])('makes the verifier unavailable while the server %s, and works again after it', async (_, broken) => {
    const pair = await makeKeyPair('ES256', 'k1');
    const { url } = await serve(broken);
    const verifier = verifierOf(url);
    const token = await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid: 'k1' });
    expect(await codeOf(verifier.verify(token))).toBe('VerifierUnavailableError');
    if (server !== undefined) server.respond = keySet(pair.jwk);
    expect(await codeOf(verifier.verify(token))).toBe('accepted');
  });

  it('makes the verifier unavailable when nothing listens', async () => {
    const unused = createServer().listen(0, '127.0.0.1');
    await once(unused, 'listening');
    const { port } = unused.address() as AddressInfo;
    unused.close();
    await once(unused, 'close');
    const pair = await makeKeyPair('ES256', 'k1');
    const token = await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid: 'k1' });
    expect(await codeOf(verifierOf(`http://127.0.0.1:${port}/`).verify(token))).toBe('VerifierUnavailableError');
  });

  it('is waited for no longer than the time allowed; a token not allowed anyway does not wait at all', async () => {
    const pair = await makeKeyPair('ES256', 'k1');
    const held: ServerResponse[] = [];
    const { url } = await serve((response) => held.push(response));
    const verifier = verifierOf(url, { jwksTimeoutMs: 100 });
    const slow = codeOf(verifier.verify(await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid: 'k1' })));
    expect(await codeOf(verifier.verify(await sign({ sub: 'u1' })))).toBe('token_invalid');
    expect(await slow).toBe('VerifierUnavailableError');
    expect(held).toHaveLength(1);
  });
});

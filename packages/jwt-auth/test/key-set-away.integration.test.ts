import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { createTokenVerifier, type JoseTokenVerifier } from '../src/index.js';
import { codeOf, makeKeyPair, sign, type KeyPair } from './keys.js';
import { keySet, startJwksServer, type JwksServer } from './jwks-server.js';

/**
 * Keys used to be thrown away ten minutes after they were read, also when the issuer could not be asked for new ones: its
 * outage became one of the gateway, with 503 for everybody whose token was not seen in the last minute.
 */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

let server: JwksServer;
let pair: KeyPair;
let lines: string[];
let time: { ms: number };
let reads: Map<string, number>;
let verifier: JoseTokenVerifier;
let tokens = 0;

function logger(): Logger {
  const note = (message: string): void => void lines.push(message);
  return { error: note, warn: note, info: note, debug: () => undefined, child: logger };
}

/** Never the same token twice, so that no memory of tokens answers. */
async function outcome(): Promise<string> {
  const token = await sign({ sub: `u${++tokens}` }, { alg: 'ES256', key: pair.privateKey, kid: 'k1' });
  return codeOf(verifier.verify(token));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

beforeEach(async () => {
  pair = await makeKeyPair('ES256', 'k1');
  server = await startJwksServer(keySet(pair.jwk));
  lines = [];
  time = { ms: 1000 };
  reads = new Map();
  verifier = createTokenVerifier(
    { algorithms: ['ES256'], jwksUrl: server.url, issuer: '', jwksMaxStaleMs: 24 * HOUR_MS },
    { monotonicClock: () => time.ms, logger: logger(), keySetReadMs: reads },
  );
});

afterEach(async () => {
  verifier.stop();
  await server.close();
});

describe('a key set whose issuer is away', () => {
  it('serves on for a day with one warning, and is refused as unavailable afterwards', async () => {
    expect(await outcome()).toBe('accepted');
    server.respond = (response) => response.destroy();
    for (const hours of [1, 23]) {
      time.ms = 1000 + hours * HOUR_MS;
      expect(await outcome()).toBe('accepted');
    }
    await until(() => lines.length > 0);
    expect(lines).toEqual(['key set cannot be read, its last keys are used on']);
    time.ms = 1000 + 24 * HOUR_MS + 1;
    expect(await outcome()).toBe('VerifierUnavailableError');
    server.respond = keySet(pair.jwk);
    expect(await outcome()).toBe('accepted');
    expect(lines.at(-1)).toBe('key set is read again');
  });

  it('is asked again in the background, and nobody waits for it meanwhile', async () => {
    expect(await outcome()).toBe('accepted');
    const held: (() => void)[] = [];
    server.respond = (response) => held.push(() => keySet(pair.jwk)(response));
    time.ms += 11 * MINUTE_MS;
    expect(await outcome()).toBe('accepted');
    await until(() => held.length > 0);
    expect(await outcome()).toBe('accepted');
    held.forEach((answer) => answer());
  });

  it('keeps its keys when the issuer publishes an empty set', async () => {
    expect(await outcome()).toBe('accepted');
    server.respond = (response) => response.end('{"keys":[]}');
    time.ms += 11 * MINUTE_MS;
    expect(await outcome()).toBe('accepted');
    await until(() => lines.length > 0);
    expect(await outcome()).toBe('accepted');
  });

  it('makes a token of an unknown key unavailable and not invalid: nobody can say whether the key is good', async () => {
    expect(await outcome()).toBe('accepted');
    server.respond = (response) => response.destroy();
    const token = await sign({ sub: 'u1' }, { alg: 'ES256', key: pair.privateKey, kid: 'k2' });
    expect(await codeOf(verifier.verify(token))).toBe('VerifierUnavailableError');
  });
});

describe('a key set that was started', () => {
  it('is read before the first token comes, and says when it was read', async () => {
    verifier.start();
    await until(() => server.requests === 1);
    expect(await outcome()).toBe('accepted');
    expect(server.requests).toBe(1);
    expect([...reads]).toEqual([[server.url, 1000]]);
  });

  it('is taken over by the verifier that replaces its own, also while the issuer is away', async () => {
    verifier.start();
    await until(() => server.requests === 1);
    expect(await outcome()).toBe('accepted');
    server.respond = (response) => response.destroy();
    const before = verifier;
    time.ms += 5_000;
    verifier = createTokenVerifier(
      { algorithms: ['ES256'], jwksUrl: server.url, requireExp: false },
      { monotonicClock: () => time.ms, logger: logger(), keySetReadMs: reads },
    );
    verifier.takeOver(before);
    before.stop();
    verifier.start();
    expect(await outcome()).toBe('accepted');
    expect([...reads]).toEqual([[server.url, 1000]]);
    verifier.stop();
    expect([...reads]).toEqual([]);
  });

  it('is read again and again without any token', async () => {
    verifier.stop();
    verifier = createTokenVerifier({ algorithms: ['ES256'], jwksUrl: server.url, jwksRefreshMs: 5 });
    verifier.start();
    await until(() => server.requests >= 3);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, describe, expect, it } from '@jest/globals';
import { exportPKCS8, exportSPKI } from 'jose';
import { AuthConfigError, createTokenVerifier, type TokenVerifierOptions } from '../src/index.js';
import { codeOf, forge, makeKeyPair, SECRET, sign } from './keys.js';

const folder = mkdtempSync(join(tmpdir(), 'jwt-auth-'));
afterAll(() => rmSync(folder, { recursive: true }));

function pemFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function configCode(options: TokenVerifierOptions): string {
  try {
    createTokenVerifier(options);
  } catch (error) {
    if (error instanceof AuthConfigError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('algorithms', () => {
  it.each(['HS256', 'HS384', 'HS512'])('accepts %s under the secret, and only when it is allowed', async (alg) => {
    const token = await sign({ sub: 'u1' }, { alg });
    expect((await createTokenVerifier({ secret: SECRET, algorithms: [alg] }).verify(token)).user).toBe('u1');
    const others = ['HS256', 'HS384', 'HS512'].filter((other) => other !== alg);
    expect(await codeOf(createTokenVerifier({ secret: SECRET, algorithms: others }).verify(token))).toBe(
      'token_invalid',
    );
  });

  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    'accepts %s under a PEM public key, and not under another key',
    async (alg) => {
      const [pair, stranger] = await Promise.all([makeKeyPair(alg), makeKeyPair(alg)]);
      const publicKeyFile = pemFile(`${alg}.pem`, await exportSPKI(pair.publicKey));
      const verifier = createTokenVerifier({ publicKeyFile, algorithms: [alg] });
      expect((await verifier.verify(await sign({ sub: 'u1' }, { alg, key: pair.privateKey }))).user).toBe('u1');
      const foreign = await sign({ sub: 'u1' }, { alg, key: stranger.privateKey });
      expect(await codeOf(verifier.verify(foreign))).toBe('token_invalid');
    },
  );

  it('serves a secret and a public key side by side, each for its own algorithms', async () => {
    const pair = await makeKeyPair('ES256');
    const publicKeyFile = pemFile('both.pem', await exportSPKI(pair.publicKey));
    const verifier = createTokenVerifier({ secret: SECRET, publicKeyFile, algorithms: ['HS256', 'ES256'] });
    expect((await verifier.verify(await sign({ sub: 'hs' }))).user).toBe('hs');
    expect((await verifier.verify(await sign({ sub: 'es' }, { alg: 'ES256', key: pair.privateKey }))).user).toBe('es');
  });

  it('never takes a public key for an HMAC secret', async () => {
    const pair = await makeKeyPair('RS256');
    const pem = await exportSPKI(pair.publicKey);
    const publicKeyFile = pemFile('confusion.pem', pem);
    const forged = await sign({ sub: 'admin' }, { alg: 'HS256', key: new TextEncoder().encode(pem) });
    const asymmetric = createTokenVerifier({ publicKeyFile, algorithms: ['RS256'] });
    expect(await codeOf(asymmetric.verify(forged))).toBe('token_invalid');
    const both = createTokenVerifier({ publicKeyFile, secret: SECRET, algorithms: ['RS256', 'HS256'] });
    expect(await codeOf(both.verify(forged))).toBe('token_invalid');
    expect(configCode({ secret: pem })).toMatch(/^bad_key auth\.secret/);
  });

  it('never accepts an unsigned token, however none is spelled, nor keys brought along', async () => {
    const verifier = createTokenVerifier({ secret: SECRET, algorithms: ['HS256'] });
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '', null, 1, ['HS256'], 'hs256', 'constructor', '__proto__'])
      for (const signature of ['', 'AAAA'])
        expect(await codeOf(verifier.verify(forge({ alg }, { sub: 'admin' }, signature)))).toBe('token_invalid');
    const stranger = await makeKeyPair('ES256');
    const { jwk } = stranger;
    const embedded = forge({ alg: 'ES256', jwk, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' }, { sub: 'a' });
    expect(await codeOf(verifier.verify(embedded))).toBe('token_invalid');
    expect(configCode({ secret: SECRET, algorithms: ['none'] })).toMatch(/^unknown_algorithm auth\.algorithms/);
  });

  it('does not accept an encrypted token, an unencoded payload or an unknown critical header', async () => {
    const verifier = createTokenVerifier({ secret: SECRET });
    const five = `${forge({ alg: 'dir', enc: 'A256GCM' }, {})}.AAAA.AAAA`;
    expect(await codeOf(verifier.verify(five))).toBe('token_invalid');
    for (const header of [
      { alg: 'HS256', b64: false, crit: ['b64'] },
      { alg: 'HS256', crit: ['x'], x: 1 },
    ])
      expect(await codeOf(verifier.verify(forge(header, { sub: 'u1' })))).toBe('token_invalid');
  });

  it('refuses at start what could never verify, naming the key', async () => {
    const rsa = await makeKeyPair('RS256');
    const rsaPem = pemFile('rsa.pem', await exportSPKI(rsa.publicKey));
    const privatePem = pemFile('private.pem', await exportPKCS8(rsa.privateKey));
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ type: 'spki', format: 'pem' });
    const weakPem = pemFile('weak.pem', weak.toString());
    const RS = { algorithms: ['RS256'] };
    expect(configCode({})).toMatch(/^missing_key auth\.secret/);
    expect(configCode({ secret: '' })).toMatch(/^missing_key auth\.secret/);
    expect(configCode({ secret: SECRET, algorithms: [] })).toMatch(/^no_algorithm/);
    expect(configCode({ secret: SECRET, ...RS })).toMatch(/^missing_key auth\.publicKeyFile/);
    expect(configCode({ ...RS, publicKeyFile: join(folder, 'absent') })).toMatch(/^missing_key auth\.publicKeyFile/);
    expect(configCode({ ...RS, publicKeyFile: pemFile('junk.pem', 'junk') })).toMatch(/^bad_key auth\.publicKeyFile/);
    expect(configCode({ ...RS, publicKeyFile: privatePem })).toMatch(/^bad_key .*private/);
    expect(configCode({ ...RS, publicKeyFile: weakPem })).toMatch(/^bad_key .*2048/);
    expect(configCode({ algorithms: ['RS256', 'ES256'], publicKeyFile: rsaPem })).toMatch(/^bad_key .*ES256/);
    expect(configCode({ ...RS, publicKeyFile: rsaPem, jwksUrl: 'http://x/' })).toMatch(/^key_conflict/);
    for (const jwksUrl of ['nonsense', 'file:///etc/keys'])
      expect(configCode({ ...RS, jwksUrl })).toMatch(/^bad_url auth\.jwksUrl/);
  });
});

describe('tokens of weird shape', () => {
  it('are token_invalid and nothing else', async () => {
    const verifier = createTokenVerifier({ secret: SECRET });
    const good = await sign({ sub: 'u1' });
    const [header = '', payload = '', signature = ''] = good.split('.');
    const text = (value: string) => Buffer.from(value).toString('base64url');
    const weird = [
      ...['', '.', '..', '...', 'a', 'a.b', 'a.b.c', 'a.b.c.d', ' ', '\u0000', '😀.😀.😀', 'Bearer x.y.z'],
      ...[`${header}..${signature}`, `${header}.${payload}.`, `.${payload}.${signature}`, `${good}.`, `${good} `],
      ...[` ${good}`, `${good}\n`, `${good}=`, `${good}==`, good.replace('.', '.\n'), good.slice(0, -1)],
      ...[`!!!.${payload}.${signature}`, `${header}.!!!.${signature}`, `${header}.${payload}.!!!`],
      ...['"a"', '[]', 'null', '1', '{', '', '\xff'].map((value) => `${text(value)}.${payload}.${signature}`),
      forge({ alg: 'HS256' }, 'x'.repeat(20_000)),
      'a'.repeat(1_000_000),
      '.'.repeat(1_000_000),
    ];
    for (const token of weird)
      expect([token.slice(0, 40), await codeOf(verifier.verify(token))][1]).toBe('token_invalid');
    for (const token of [undefined, null, 1, {}])
      expect(await codeOf(verifier.verify(token as unknown as string))).toBe('token_invalid');
  });

  it('with claims that are no JSON object are token_invalid though the signature fits', async () => {
    const { CompactSign } = await import('jose');
    const key = new TextEncoder().encode(SECRET);
    const verifier = createTokenVerifier({ secret: SECRET });
    for (const claims of ['[]', 'null', '"x"', '1', '{', '']) {
      const bytes = new TextEncoder().encode(claims);
      const token = await new CompactSign(bytes).setProtectedHeader({ alg: 'HS256' }).sign(key);
      expect(await codeOf(verifier.verify(token))).toBe('token_invalid');
    }
  });

  it('never show up in the message', async () => {
    const token = await sign({ sub: 'u1', exp: 1 });
    const verifier = createTokenVerifier({ secret: SECRET });
    const [error] = (await Promise.allSettled([verifier.verify(token)])).map((settled) =>
      settled.status === 'rejected' ? (settled.reason as Error) : null,
    );
    const shown = `${error?.message} ${String(error?.cause)}`;
    for (const part of token.split('.')) expect(shown).not.toContain(part.slice(0, 9));
  });
});

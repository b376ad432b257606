import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { findingsOf, load, loadWithSecret } from './loading.js';

const SHORT = 'x'.repeat(31);
const auth = (value: object): string => JSON.stringify({ auth: value });

describe('secrets of tokens', () => {
  test('are refused below 32 bytes, wherever they stand, and counted in bytes', () => {
    const rule = (path: string, bytes: number) =>
      `${path}: must have at least 32 bytes, not ${bytes}: a shorter one can be guessed from a token`;
    expect(findingsOf(load('', { env: { JWT_SECRET: 'x' } }))).toEqual([rule('auth.secret', 1)]);
    expect(findingsOf(load(auth({ secret: TEST_SECRET, secrets: [TEST_SECRET, SHORT] })))).toEqual([
      rule('auth.secrets[1]', 31),
    ]);
    const issuers = [{ issuer: 'a', secret: SHORT }];
    expect(findingsOf(load(auth({ issuers })))).toEqual([rule('auth.issuers[0].secret', 31)]);
    expect(findingsOf(load(auth({ secret: 'ü'.repeat(16) })))).toEqual([]);
    expect(findingsOf(load(auth({ secret: TEST_SECRET, secrets: [''] })))).toEqual([
      'auth.secrets[0]: must not be empty',
    ]);
  });

  test('are refused with white space at an end, as are the tokens of operators, which no header could carry', () => {
    const rule = (path: string) =>
      `${path}: must not begin or end with white space; there is some, such as the line break that echo writes`;
    for (const secret of [`${TEST_SECRET}\n`, ` ${TEST_SECRET}`, `${TEST_SECRET}\t`])
      expect(findingsOf(load(auth({ secret })))).toEqual([rule('auth.secret')]);
    const env = { WSGATEWAY_ADMIN_TOKEN: 'admin\n', WSGATEWAY_GRPC_TOKEN: ' grpc' };
    expect(findingsOf(loadWithSecret('', { env }))).toEqual([rule('admin.token'), rule('grpc.token')]);
  });

  test('are needed, unless several of them, issuers or a callback say who clients are', () => {
    expect(findingsOf(load(''))).toEqual([expect.stringMatching(/^auth\.secret: missing/)]);
    expect(findingsOf(load(auth({ secrets: [TEST_SECRET] })))).toEqual([]);
    expect(findingsOf(load(auth({ issuers: [{ issuer: 'a', jwksUrl: 'https://a.example/keys' }] })))).toEqual([]);
    expect(findingsOf(load(auth({ callback: { url: 'http://app.example/who' } })))).toEqual([]);
  });
});

describe('auth.issuers', () => {
  test('have a name of their own and one source of keys', () => {
    const issuers = [
      { issuer: 'a', secret: TEST_SECRET },
      { issuer: 'a', jwksUrl: 'https://a.example/keys' },
      { secret: TEST_SECRET },
      { issuer: 'b' },
      { issuer: 'c', secret: TEST_SECRET, jwksUrl: 'https://c.example/keys' },
      { issuer: 'own', publicKeyFile: '/nowhere.pem' },
    ];
    expect(findingsOf(load(auth({ secret: TEST_SECRET, issuer: 'own', issuers })))).toEqual([
      'auth.issuers[1].issuer: must differ from the others, not be a again',
      'auth.issuers[2].issuer: missing: tokens are told apart by it',
      'auth.issuers[3]: must have one of secret, publicKeyFile and jwksUrl, not 0 of them',
      'auth.issuers[4]: must have one of secret, publicKeyFile and jwksUrl, not 2 of them',
      'auth.issuers[5].issuer: must differ from the others, not be own again',
      'auth.issuers[5].publicKeyFile: cannot read /nowhere.pem: ENOENT',
    ]);
  });
});

test('auth.clockTolerance is 30 s unless it is said, and at most 5 minutes', () => {
  expect(loadWithSecret('').config.auth).toMatchObject({ clockToleranceMs: 30_000, jwksMaxStaleMs: 86_400_000 });
  expect(loadWithSecret('auth: {clockTolerance: 0}').findings).toEqual([]);
  expect(findingsOf(loadWithSecret('auth: {clockTolerance: 6m}'))).toEqual([
    expect.stringMatching(/^auth\.clockTolerance: must be from 0 to 5m/),
  ]);
});

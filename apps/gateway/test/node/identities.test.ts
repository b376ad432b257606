import { expect, test } from '@jest/globals';
import type { Logger } from '@ws-gateway/core';
import { signToken, TEST_SECRET } from '@ws-gateway/testkit';
import { RenewedVerifier } from '../../src/node/identities.js';
import { loadWithSecret } from '../config/loading.js';

const OTHER_SECRET = 'another-secret-for-tests-of-sufficient-length';
const logger: Logger = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => logger,
};

// The verifier that the edge is given did not say so, and handshakes with good tokens waited behind a flood of junk.
test('a token that was verified is known to the edge, and no longer when its key was replaced', async () => {
  const verifier = new RenewedVerifier(loadWithSecret('').config, { logger, keySetReadMs: new Map() });
  const token = signToken({ sub: 'ann' }, TEST_SECRET);
  expect(verifier.recall(token)).toBeNull();
  await verifier.verify(token);
  expect(verifier.recall(token)).toMatchObject({ user: 'ann' });
  verifier.reload(loadWithSecret('', { env: { JWT_SECRET: OTHER_SECRET } }).config);
  try {
    expect(verifier.recall(token)).toBeNull();
  } finally {
    verifier.stop();
  }
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { tlsOptions } from '../../src/node/engines.js';

// Fails when files are read once: after a renewal no connection to Kafka or Redis could be made without a restart.
test('each connection to Kafka or Redis gets what the certificate files hold then', () => {
  const folder = mkdtempSync(join(tmpdir(), 'wsg-client-tls-'));
  const caFile = join(folder, 'ca.crt');
  writeFileSync(caFile, 'first');
  const options = tlsOptions({ caFile, certFile: '', keyFile: '', verify: true });
  // Both drivers copy the options for each connection.
  const connection = (): string[] => Object.entries({ ...options }).map(([name, value]) => `${name} ${String(value)}`);
  expect(connection()).toEqual(['rejectUnauthorized true', 'ca first']);
  writeFileSync(caFile, 'second');
  expect(connection()).toEqual(['rejectUnauthorized true', 'ca second']);
  rmSync(folder, { recursive: true });
  expect(connection()).toEqual(['rejectUnauthorized true', 'ca second']);
});

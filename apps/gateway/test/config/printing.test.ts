import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { configurationDocs } from '../../src/docs/configuration-docs.js';
import { loadConfig } from '../../src/config/load.js';
import { masked } from '../../src/config/language/mask.js';
import { walk } from '../../src/config/language/schema-node.js';
import { schema } from '../../src/config/schema/schema.js';
import { load } from './loading.js';

const root = new URL('../../../../', import.meta.url);

describe('printing', () => {
  const secrets = `
auth: {secret: HIDE-a-secret-of-thirty-two-bytes-HIDE, secrets: [HIDE-another-of-thirty-two-bytes-HIDE],
  issuers: [{issuer: i, secret: HIDE-a-third-one-of-thirty-two-bytes-HIDE}]}
redis: {password: HIDE, sentinel: {password: HIDE}}
kafka: {sasl: {mechanism: plain, username: u, password: HIDE}}
grpc: {token: HIDE}
admin: {token: HIDE}
logger: {loki: {url: "http://me:HIDE@loki/push"}}
backends: {http: {user: {url: "http://me:HIDE@user"}}}
`;

  test('masks every secret that is set and shows the rest', () => {
    const { tree, findings } = load(secrets);
    expect(findings).toEqual([]);
    const shown = JSON.stringify(masked(schema, tree));
    expect(shown).not.toContain('HIDE');
    expect(masked(schema, tree)).toMatchObject({
      auth: { secret: '********', secrets: ['********'], issuers: [{ issuer: 'i', secret: '********' }] },
      server: { readTimeout: '10s' },
      logger: { loki: { url: 'http://me:********@loki/push' } },
    });
  });

  test('leaves a secret that is not set empty', () => {
    expect(masked(schema, load('').tree)).toMatchObject({ auth: { secret: '' }, redis: { password: '' } });
  });

  test('every key that sounds secret is one', () => {
    const unmarked = [...walk(schema)].filter(
      ([path, node]) => node.kind === 'key' && /secret|password|^token$/i.test(path.at(-1)!) && node.secret !== true,
    );
    expect(unmarked.map(([path]) => path.join('.'))).toEqual([]);
  });

  test('a wrong secret is not shown by its finding', () => {
    expect(JSON.stringify(load('redis: {password: [HIDE]}').findings)).not.toContain('HIDE');
    expect(JSON.stringify(load('redis: {password: {HIDE: 1}}').findings)).not.toContain('HIDE');
    const [addr] = load('redis: {addr: "me:HIDE@redis:6379"}').findings;
    expect(addr).toMatchObject({ path: 'redis.addr', message: expect.stringContaining('"me:********@redis:6379"') });
    expect(JSON.stringify(load('redis: {addr: "redis://me:HIDE@redis:6379"}').findings)).not.toContain('HIDE');
    expect(JSON.stringify(load('kafka: {bootstrapServers: "me:HIDE@kafka"}').findings)).not.toContain('HIDE');
    expect(JSON.stringify(load('logger: {loki: {url: "ftp://me:HIDE@loki"}}').findings)).not.toContain('HIDE');
    expect(JSON.stringify(load('auth: {secret: "HIDE ", secrets: [HIDE]}').findings)).not.toContain('HIDE');
  });
});

describe('the documentation', () => {
  test('has every key with a meaning', () => {
    const missing = [...walk(schema)].filter(([, node]) => node.doc === '');
    expect(missing.map(([path]) => path.join('.'))).toEqual([]);
  });

  test('docs/configuration.md is what `ws-gateway config docs` prints', () => {
    expect(readFileSync(new URL('docs/configuration.md', root), 'utf8')).toBe(configurationDocs(schema));
  });
});

test('the config.yaml of the repository is good once there is a secret', () => {
  const file = fileURLToPath(new URL('config.yaml', root));
  expect(loadConfig({ file, env: { JWT_SECRET: TEST_SECRET }, purpose: 'serve' }).findings).toEqual([]);
  expect(loadConfig({ file, env: {}, purpose: 'serve' }).findings.map(({ path }) => path)).toEqual(['auth.secret']);
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** Both packages as they are published, installed in an empty folder outside of the workspace. */

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const PACKAGES = ['../../client/', '../'].map((path) => new URL(path, import.meta.url).pathname);

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ws-gateway-react-'));
  const tarballs = await Promise.all(
    PACKAGES.map(async (cwd) => {
      const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd });
      const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
      return join(folder, filename);
    }),
  );
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  // React is the application's; here it is the one of the workspace.
  const quiet = ['--offline', '--no-audit', '--no-fund', '--no-package-lock', '--legacy-peer-deps'];
  await run('npm', ['install', ...quiet, ...tarballs], { cwd: folder });
  await symlink(dirname(require.resolve('react/package.json')), join(folder, 'node_modules/react'));
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the published hooks', () => {
  it.each([
    ['require', `const { useTopic, useStatus, GatewayProvider } = require('@ws-gateway/react');`],
    ['import', `import { useTopic, useStatus, GatewayProvider } from '@ws-gateway/react';`],
  ])('are loaded by %s', async (how, load) => {
    const type = how === 'import' ? ['--input-type=module'] : ['--no-experimental-require-module'];
    const program = `${load} console.log([useTopic, useStatus, GatewayProvider].map((value) => typeof value).join());`;
    const { stdout } = await run(process.execPath, [...type, '-e', program], { cwd: folder });
    expect(stdout.trim()).toBe('function,function,function');
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

/** The package as it is published, installed in an empty folder outside of the workspace. */

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const PACKAGE = new URL('../', import.meta.url).pathname;
const SIZE_MAX = 10 * 1024;

let folder: string;
let installed: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ws-gateway-client-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: PACKAGE });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const quiet = ['--offline', '--no-audit', '--no-fund', '--no-package-lock'];
  await run('npm', ['install', ...quiet, join(folder, filename)], { cwd: folder });
  installed = join(folder, 'node_modules/@ws-gateway/client');
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

const node = async (...parameters: string[]): Promise<string> => {
  const { stdout } = await run(process.execPath, parameters, { cwd: folder });
  return stdout.trim();
};

describe('the published package', () => {
  it('is loaded by require, also where that takes no ES modules', async () => {
    const program = `const { createClient } = require('@ws-gateway/client'); console.log(typeof createClient);`;
    expect(await node('--no-experimental-require-module', '-e', program)).toBe('function');
  });

  it('is loaded by import', async () => {
    const program = `import { createClient } from '@ws-gateway/client'; console.log(typeof createClient);`;
    expect(await node('--input-type=module', '-e', program)).toBe('function');
  });

  it('is one script for a page without a bundler', async () => {
    const page = createContext({ URL, setTimeout, clearTimeout, WebSocket: class {} });
    runInContext(await readFile(join(installed, 'dist/ws-gateway.min.js'), 'utf8'), page);
    expect(runInContext('Object.keys(WsGateway)', page)).toEqual(['AnswerError', 'ClientError', 'createClient']);
    expect(() => runInContext(`WsGateway.createClient({ url: 'ws://host', topics: 'a' })`, page)).toThrow('topics');
  });

  it('runs in Jest as it comes', async () => {
    const test = `const { createClient } = require('@ws-gateway/client');
      test('it', () => expect(() => createClient({ url: '' })).toThrow('url'));`;
    await writeFile(join(folder, 'it.test.js'), test);
    const jest = join(dirname(require.resolve('jest/package.json')), 'bin/jest.js');
    await expect(node(jest, '--rootDir', folder)).resolves.toBe('');
  });

  it.each(['index.js', 'cjs/index.js', 'ws-gateway.min.js'])('%s has 10 kB, gzipped as servers do', async (name) => {
    expect(gzipSync(await readFile(join(installed, 'dist', name))).length).toBeLessThanOrEqual(SIZE_MAX);
  });

  it('has its licence, its sources, and nothing to install', async () => {
    expect(await readFile(join(installed, 'LICENSE'), 'utf8')).toContain('MIT');
    expect(await readFile(join(installed, 'src/index.ts'), 'utf8')).toContain('createClient');
    const { dependencies, repository, engines } = JSON.parse(
      await readFile(join(installed, 'package.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(dependencies).toEqual({});
    expect(repository).toMatchObject({ directory: 'packages/client' });
    expect(engines).toEqual({ node: '>=18' });
  });
});

describe('its types', () => {
  const program = `import { createClient, type ClientEvents } from '@ws-gateway/client';
    const client = createClient<{ news: { title: string } }>({ url: 'ws://host/ws', topics: ['news'] });
    client.on('news', ({ payload }) => payload.title.trim());
    client.on('closed', ({ refusal }: ClientEvents['closed']) => refusal?.code);
    // @ts-expect-error -- no such option
    createClient({ url: 'ws://host', tokn: '' });`;

  it.each([
    ['commonjs', 'node10', 'it.ts'],
    ['node16', 'node16', 'it.cts'],
    ['node16', 'node16', 'it.mts'],
    ['esnext', 'bundler', 'it.ts'],
  ])('are found by TypeScript with module %s, moduleResolution %s, in %s', async (module, resolution, name) => {
    await writeFile(join(folder, name), program);
    const compiler = require.resolve('typescript-5/lib/tsc.js');
    const strict = [
      '--strict',
      '--exactOptionalPropertyTypes',
      '--noEmit',
      '--target',
      'es2022',
      '--lib',
      'es2022,dom',
    ];
    const options = ['--module', module, '--moduleResolution', resolution];
    const result = node(compiler, ...strict, ...options, name).catch((error: { stdout: string }) => error.stdout);
    expect(await result).toBe('');
  });
});

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, signToken, TEST_SECRET, waitFor, WsClient } from '@ws-gateway/testkit';
import { repository } from './kubernetes-manifests.js';

/** What `npm run release` makes, installed outside of the workspace on a machine that reaches no registry. */

const run = promisify(execFile);
const NO_REGISTRY = { npm_config_registry: 'http://127.0.0.1:9', npm_config_audit: 'false', npm_config_fund: 'false' };

let folder: string;
let env: NodeJS.ProcessEnv;
const archive = (pattern: RegExp): string => {
  const name = readdirSync(join(folder, 'release')).find((file) => pattern.test(file));
  return join(folder, 'release', name ?? `nothing like ${pattern}`);
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ws-gateway-release-'));
  // The Node of these tests is the one that the gateway is made for.
  const path = `${dirname(process.execPath)}:${process.env['PATH']}`;
  const clean = Object.entries(process.env).filter(([name]) => !/^(WSGATEWAY_|npm_|NODE_OPTIONS)/.test(name));
  env = { ...Object.fromEntries(clean), ...NO_REGISTRY, PATH: path, npm_config_cache: join(folder, 'cache') };
  const args = ['scripts/boot.mjs', 'release', '--out', join(folder, 'release'), '--no-image'];
  const { npm_config_registry: _, npm_config_cache: __, ...online } = env;
  await run('node', args, { cwd: repository, env: online });
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function emptyFolder(name: string): string {
  const made = join(folder, name);
  mkdirSync(made);
  writeFileSync(join(made, 'package.json'), '{ "private": true }');
  return made;
}

describe('the released package of the gateway', () => {
  const VERSION = /^\d+\.\d+\.\d+ \(commit [0-9a-f]{12}(-dirty)?\)\n$/;

  // npm asked a registry for the binaries of other platforms, for minutes and without a word.
  it('runs by npx without a registry, and again when npm has it already', async () => {
    const cwd = emptyFolder('npx');
    const args = ['--yes', `--package=${archive(/^ws-gateway-\d.*\.tgz$/)}`, 'ws-gateway', '--version'];
    for (let n = 0; n < 2; n++) expect((await run('npx', args, { cwd, env })).stdout).toMatch(VERSION);
  }, 240_000);

  it('is installed by npm i -g, says its commit, and serves', async () => {
    const prefix = emptyFolder('global');
    await run('npm', ['i', '-g', '--prefix', prefix, archive(/^ws-gateway-\d.*\.tgz$/)], { cwd: prefix, env });
    const program = join(prefix, 'bin', 'ws-gateway');
    expect((await run(program, ['--version'], { cwd: prefix, env })).stdout).toMatch(VERSION);
    const port = await freePort();
    const config = {
      engine: 'memory',
      server: { host: '127.0.0.1', port },
      grpc: { enabled: false },
      kafka: { topics: [] },
    };
    writeFileSync(join(prefix, 'config.yaml'), JSON.stringify(config));
    const served = spawn(program, ['serve', '-c', 'config.yaml'], {
      ...{ cwd: prefix, env: { ...env, JWT_SECRET: TEST_SECRET }, stdio: 'ignore' },
    });
    await expectToServe(served, port);
  }, 240_000);

  it('names what is inside of it in a bill of materials, and its sum', () => {
    const { components } = JSON.parse(readFileSync(archive(/\.cdx\.json$/), 'utf8')) as {
      components: { name: string }[];
    };
    const names = components.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['kafkajs', 'ioredis', '@ws-gateway/core']));
    expect(names.filter((name) => name.startsWith('@types/'))).toEqual([]);
    const sums = readFileSync(archive(/^SHA256SUMS$/), 'utf8')
      .trim()
      .split('\n');
    expect(sums.map((line) => line.replace(/^[0-9a-f]{64} {2}/, '').replace(/\d+\.\d+\.\d+/, 'X'))).toEqual([
      'ws-gateway-X.cdx.json',
      'ws-gateway-X.tgz',
      'ws-gateway-client-X.tgz',
      'ws-gateway-react-X.tgz',
    ]);
  });
});

describe('the released package of the client', () => {
  it('is installed without a registry, and is loaded by import, by require and by TypeScript', async () => {
    const cwd = emptyFolder('client');
    await run('npm', ['i', archive(/^ws-gateway-client-/)], { cwd, env });
    const load = (...args: string[]): Promise<{ stdout: string }> => run('node', args, { cwd, env });
    const ask = 'console.log(typeof createClient)';
    expect((await load('-e', `const { createClient } = require('@ws-gateway/client'); ${ask}`)).stdout).toBe(
      'function\n',
    );
    const imported = `import { createClient } from '@ws-gateway/client'; ${ask}`;
    expect((await load('--input-type=module', '-e', imported)).stdout).toBe('function\n');
    const source = `import { createClient, type Client } from '@ws-gateway/client';
      export const client: Client = createClient({ url: 'ws://host/ws', topics: ['a'] });`;
    writeFileSync(join(cwd, 'index.ts'), source);
    const modes = ['node16 node16', 'esnext bundler', 'commonjs bundler'].map((mode) => mode.split(' '));
    const tsc = join(repository, 'node_modules/typescript/bin/tsc');
    for (const [module, resolution] of modes) {
      const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--lib', 'es2022,dom', '--types', ''];
      const args = [tsc, ...strict, '--module', module!, '--moduleResolution', resolution!, 'index.ts'];
      const { stdout } = await load(...args).catch((error: unknown) => error as { stdout: string });
      expect([module, stdout]).toEqual([module, '']);
    }
  }, 240_000);
});

/** A socket that is let in, then the end of the process by SIGTERM. */
async function expectToServe(served: ChildProcess, port: number): Promise<void> {
  const ended = once(served, 'close');
  try {
    const ready = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/ready`)).ok;
    await waitFor(() => ready().catch(() => false), { timeoutMs: 30_000, what: 'the installed gateway to be ready' });
    const client = await WsClient.open(`ws://127.0.0.1:${port}/ws?token=${signToken({ sub: 'u1' }, TEST_SECRET)}`);
    await client.next('connected');
    await client.close();
  } finally {
    served.kill('SIGTERM');
  }
  expect(await ended).toEqual([0, null]);
}

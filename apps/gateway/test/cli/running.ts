import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from '@jest/globals';
import { uniqueName, waitFor } from '@ws-gateway/testkit';

export const program = fileURLToPath(new URL('../../bin/ws-gateway', import.meta.url));

if (!existsSync(new URL('../../dist/main.js', import.meta.url))) {
  throw new Error('apps/gateway/dist is missing: these tests run the built program (npm run build)');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly program?: string;
}

let folder: string | null = null;
afterAll(() => {
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
});

/** Writes a configuration to a file that is removed with the test. */
export function configFile(config: object): string {
  folder ??= mkdtempSync(join(tmpdir(), 'ws-gateway-cli-'));
  const file = join(folder, `${uniqueName('config')}.yaml`);
  // Every JSON text is YAML, too.
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** A command that is still running. */
export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Waits for a line of standard output that holds the text. */
  line(text: string): Promise<string>;
}

/** Starts the shipped program in a folder without config.yaml and without this run's own variables. */
export function start(args: readonly string[], options: RunOptions = {}): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(WSGATEWAY_|JWT_|UWS_|NODE_OPTIONS)/.test(name));
  const child = spawn(options.program ?? program, [...args], {
    cwd: options.cwd ?? '/',
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return {
    child,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    line: (text) =>
      waitFor(
        () =>
          stdout
            .split('\n')
            .slice(0, -1)
            .find((line) => line.includes(text)),
        { what: `a line with ${text}` },
      ),
  };
}

export function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return start(args, options).ended;
}

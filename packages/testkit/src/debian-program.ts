import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';

const INSTALL_TIMEOUT_MS = 300_000;
/** Debian keeps servers where only root looks. */
const FOLDERS = ['/usr/sbin', '/usr/local/sbin'];

/**
 * Path of the first of the programs that is installed; as root on Debian the package is installed where none is. null:
 * there is none. Tests that need it are then skipped by name; the run counts them, and in CI they count as failed.
 */
export function findProgram(names: readonly string[], packageName: string): string | null {
  const program = installed(names);
  if (program !== null || process.getuid?.() !== 0) return program;
  // Another test file may be installing something at the same time, so the command waits for the lock. A machine without
  // package lists needs an update first.
  const install = `apt-get -o DPkg::Lock::Timeout=240 install -y --no-install-recommends ${packageName}`;
  const script = `${install} || (apt-get update && ${install})`;
  spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS });
  return installed(names);
}

function installed(names: readonly string[]): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...FOLDERS];
  const candidates = names.flatMap((name) => folders.map((folder) => resolve(folder, name)));
  return candidates.find((file) => existsSync(file)) ?? null;
}

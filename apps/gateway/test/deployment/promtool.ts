import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { repository } from './kubernetes-manifests.js';

const FOLDER = join(repository, '.cache', 'prometheus');
const UNPACKED = join(FOLDER, 'usr', 'bin', 'promtool');
const DOWNLOAD_TIMEOUT_MS = 240_000;

/**
 * Path of promtool: of an installed one, or of Debian's package, which is unpacked beside the other programs of the tests
 * and not installed. null: there is none. Tests that need it are then skipped by name; in CI they count as failed.
 */
export function findPromtool(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const installed = folders.map((folder) => join(folder, 'promtool')).find((file) => existsSync(file));
  if (installed !== undefined) return installed;
  if (existsSync(UNPACKED)) return UNPACKED;
  mkdirSync(FOLDER, { recursive: true });
  const download = 'apt-get download prometheus && dpkg -x prometheus_*.deb .';
  spawnSync('/bin/sh', ['-c', `${download} || (apt-get update && ${download})`], {
    ...{ cwd: FOLDER, stdio: 'ignore', timeout: DOWNLOAD_TIMEOUT_MS },
  });
  return existsSync(UNPACKED) ? UNPACKED : null;
}

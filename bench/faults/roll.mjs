#!/usr/bin/env node
/**
 * node bench/faults/roll.mjs <commit>
 *
 * Builds an earlier release in a folder of its own and rolls from it to this one and back under load, three times
 * (apps/gateway/test/faults/release-roll.fault.test.ts). Takes about six minutes. The exit code is 1 when a promise was
 * broken.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../scripts/boot/toolchain.mjs';

const [commit] = process.argv.slice(2);
if (commit === undefined) {
  console.error('usage: node bench/faults/roll.mjs <commit>');
  process.exit(2);
}
const folder = join(mkdtempSync(join(tmpdir(), 'ws-gateway-before-')), 'checkout');
const here = { cwd: ROOT, stdio: 'inherit' };
try {
  execFileSync('git', ['worktree', 'add', '--detach', folder, commit], here);
  // Servers and tools that were fetched once.
  cpSync(join(ROOT, '.cache'), join(folder, '.cache'), { recursive: true });
  execFileSync(process.execPath, ['scripts/boot.mjs', 'build'], { ...here, cwd: folder });
  const env = { ...process.env, WSGATEWAY_FAULTS_BEFORE: join(folder, 'apps/gateway/bin/ws-gateway') };
  execFileSync(process.execPath, ['bench/faults/run.mjs', 'release-roll'], { ...here, env });
} catch (error) {
  process.exitCode = error.status ?? 1;
} finally {
  execFileSync('git', ['worktree', 'remove', '--force', folder], here);
  rmSync(join(folder, '..'), { recursive: true, force: true });
}

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

export type { Browser, BrowserContextOptions, Page } from 'playwright-core';

const PROGRAMS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const INSTALL_TIMEOUT_MS = 300_000;

/**
 * Path of the browser that WSGATEWAY_TEST_CHROMIUM names, or of one that is installed; as root on Debian a missing one
 * is installed. null: there is none. Tests that need it are then skipped by name; the run counts them, and in CI they
 * count as failed.
 */
export function findBrowser(): string | null {
  const program = process.env['WSGATEWAY_TEST_CHROMIUM'] ?? installed();
  if (program !== null || process.getuid?.() !== 0) return program;
  // Another test file may be installing it at the same time, so the command waits for the lock. A machine without
  // package lists needs an update first.
  const install = 'apt-get -o DPkg::Lock::Timeout=240 install -y --no-install-recommends chromium';
  const script = `${install} || (apt-get update && ${install})`;
  spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS });
  return installed();
}

/** Starts the browser without a window and with a profile of its own. */
export function startBrowser(program: string): Promise<Browser> {
  return chromium.launch({
    executablePath: program,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

function installed(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = PROGRAMS.flatMap((name) => folders.map((folder) => resolve(folder, name)));
  return candidates.find((file) => existsSync(file)) ?? null;
}

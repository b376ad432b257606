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
 * The one that WSGATEWAY_TEST_CHROMIUM names, or one of this machine. As root on Debian it is installed where it is
 * missing. null: there is none, and tests that need it can't run; they are to be skipped by name, which the run counts,
 * and which fails it in CI.
 */
export function findBrowser(): string | null {
  const program = process.env['WSGATEWAY_TEST_CHROMIUM'] ?? installed();
  if (program !== null || process.getuid?.() !== 0) return program;
  // Another test file may be at it, hence the wait for the lock. Without package lists it takes an update first.
  const install = 'apt-get -o DPkg::Lock::Timeout=240 install -y --no-install-recommends chromium';
  const script = `${install} || (apt-get update && ${install})`;
  spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore', timeout: INSTALL_TIMEOUT_MS });
  return installed();
}

/** Headless, with a profile of its own. */
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

import { chromium, type Browser } from 'playwright-core';
import { findProgram } from './debian-program.js';

export type { Browser, BrowserContextOptions, Page } from 'playwright-core';

const PROGRAMS = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** Path of the browser that WSGATEWAY_TEST_CHROMIUM names, or of one that is installed (see findProgram). */
export function findBrowser(): string | null {
  return process.env['WSGATEWAY_TEST_CHROMIUM'] ?? findProgram(PROGRAMS, 'chromium');
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

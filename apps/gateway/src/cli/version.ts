import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PACKAGE = new URL('../../', import.meta.url);

/** `0.1.0 (commit 0123456789ab)`; without the commit where nobody knows it. */
export function versionText(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as { version: string };
  const commit = builtFrom() ?? checkedOut();
  return commit === '' ? version : `${version} (commit ${commit})`;
}

/** What a release wrote down. null: this is no release. */
function builtFrom(): string | null {
  try {
    return (JSON.parse(readFileSync(new URL('build.json', PACKAGE), 'utf8')) as { commit: string }).commit;
  } catch {
    return null;
  }
}

/** '' where this is no checkout, or there is no git. */
function checkedOut(): string {
  try {
    const args = ['-C', fileURLToPath(PACKAGE), 'rev-parse', '--short=12', 'HEAD'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return '';
  }
}

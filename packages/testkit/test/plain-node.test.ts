import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const root = fileURLToPath(new URL('../../../', import.meta.url));

// Node finds fewer names in a CommonJS module than Jest does: scripts/screenshots.mjs ended before it began.
it('is imported by plain Node, as scripts do', async () => {
  const script = `import './scripts/typescript-sources.mjs';
    await import('./packages/testkit/src/index.ts');
    console.log('imported');`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(stdout).toBe('imported\n');
}, 60_000);

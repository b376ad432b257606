import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

/** The process itself must end, so it is one of its own. */
it('a defect in a promise that nobody waits for ends the process, with the defect as the reason', async () => {
  const module = fileURLToPath(new URL('../src/defects.ts', import.meta.url));
  const code = `import { endByDefect } from ${JSON.stringify(module)};
    Promise.reject(new RangeError('of a test')).catch(endByDefect);
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', code]);
  let stderr = '';
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const [exitCode] = (await once(child, 'close')) as [number];
  expect(exitCode).toBe(1);
  expect(stderr).toContain('RangeError: of a test');
});

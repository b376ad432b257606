import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const packageFolder = new URL('..', import.meta.url);

/** Program that logs to its real standard output and says on standard error that it got to the end. */
const PROGRAM = `
import { createLogger } from ${JSON.stringify(new URL('src/index.ts', packageFolder).href)};
const log = createLogger({ level: 'info', format: 'json' });
for (let i = 0; i < 200; i++) { log.info('line', { text: 'x'.repeat(500) }); await new Promise((go) => setImmediate(go)); }
process.stderr.write('done');
`;

describe('standard output', () => {
  it('may be closed by its reader: the process goes on', async () => {
    // Node strips the types itself, but does not read .js as .ts: a loader hook of four lines does.
    const folder = mkdtempSync(join(tmpdir(), 'telemetry-'));
    try {
      writeFileSync(
        join(folder, 'hook.mjs'),
        `import { registerHooks } from 'node:module';
         registerHooks({ resolve(specifier, context, next) {
           const isSource = specifier.startsWith('.') && context.parentURL?.includes('/src/') && !context.parentURL.includes('node_modules');
           return next(isSource ? specifier.replace(/\\.js$/, '.ts') : specifier, context);
         } });`,
      );
      writeFileSync(join(folder, 'program.mjs'), PROGRAM);
      const child = spawn(
        process.execPath,
        [
          '--no-warnings',
          '--experimental-strip-types',
          '--conditions=source',
          '--import',
          join(folder, 'hook.mjs'),
          join(folder, 'program.mjs'),
        ],
        { stdio: ['ignore', 'pipe', 'pipe'], cwd: packageFolder },
      );
      let said = '';
      child.stderr.on('data', (chunk) => (said += String(chunk)));
      child.stdout.once('data', () => child.stdout.destroy());
      const [code] = (await once(child, 'close')) as [number];
      expect(said).toBe('done');
      expect(code).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

import { checkClocks } from './clocks.mjs';
import { checkPromises } from './promises.mjs';
import { checkReferences } from './references.mjs';
import { run } from './toolchain.mjs';

/** Formatting is two thirds of a check. What did not change by content since the last one is not looked at again. */
const PRETTIER_CACHE = ['--cache', '--cache-strategy=content', '--cache-location=.cache/prettier'];

/** Steps that look at the repository without running it. All of them run, so that one call shows everything. */
const STEPS = [
  ['types', program('tsc', '-p', 'tsconfig.json')],
  // The console runs in browsers, with their types.
  ['types of the console', program('tsc', '-p', 'apps/gateway/console/tsconfig.json')],
  ['lint', program('oxlint', '--type-aware', '--deny-warnings')],
  ['format', program('prettier', '--check', '--log-level=warn', ...PRETTIER_CACHE, '.')],
  ['dead code and dependencies', program('knip', '--no-progress', '--no-config-hints')],
  ['references', checkReferences],
  ['promises', checkPromises],
  ['clocks', checkClocks],
];

export async function check() {
  const failed = [];
  for (const [name, step] of STEPS) {
    const began = Date.now();
    const { code } = await step();
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log([code === 0 ? 'ok    ' : 'FAILED', name, `(${seconds} s)`].join(' '));
    if (code !== 0) failed.push(name);
  }
  if (failed.length > 0) console.log(`check failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

function program(command, ...args) {
  return () => run(command, args);
}

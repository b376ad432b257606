import { run } from './toolchain.mjs';

/** Everything that can be said about the code without running it. All steps run, so that one look shows all. */
const STEPS = [
  ['types', 'tsc', ['-p', 'tsconfig.json']],
  // The console runs in browsers, with their types.
  ['types of the console', 'tsc', ['-p', 'apps/gateway/console/tsconfig.json']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'prettier', ['--check', '--log-level=warn', '.']],
  ['dead code and dependencies', 'knip', ['--no-progress', '--no-config-hints']],
];

export async function check() {
  const failed = [];
  for (const [name, command, args] of STEPS) {
    const began = Date.now();
    const { code } = await run(command, args);
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    console.log([code === 0 ? 'ok    ' : 'FAILED', name, `(${seconds} s)`].join(' '));
    if (code !== 0) failed.push(name);
  }
  if (failed.length > 0) console.log(`check failed: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
}

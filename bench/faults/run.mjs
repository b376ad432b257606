#!/usr/bin/env node
/**
 * node bench/faults/run.mjs [pattern]
 *
 * Runs the measured version of the fault tests (apps/gateway/test/faults): 2,000 records/s to 500 users, each fault ten
 * times. All of them take about a quarter of an hour; a pattern such as `edge` picks some. It prints a table in the
 * form of docs/guarantees.md, and keeps all figures in .cache/faults.jsonl. The exit code is 1 when a promise was
 * broken.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { build, install, ROOT, run } from '../../scripts/boot/toolchain.mjs';

const REPORT = join(ROOT, '.cache', 'faults.jsonl');
const COUNTS = ['times', 'produced', 'received', 'lost', 'lostAndTold', 'duplicates', 'outOfOrder'];
/** Figures that the columns or the exit code tell already. */
const HIDDEN = new Set(['fault', 'foreign', 'offsetFaults', 'examples', ...COUNTS]);

const [pattern = ''] = process.argv.slice(2);
await install();
await build();
mkdirSync(join(ROOT, '.cache'), { recursive: true });
rmSync(REPORT, { force: true });
const { code } = await run('jest', ['--runInBand', '--verbose', `apps/gateway/test/faults/.*${pattern}`], {
  env: {
    NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning',
    WSGATEWAY_FAULTS: 'full',
    WSGATEWAY_FAULTS_REPORT: REPORT,
  },
});
console.log(`\n${cpus().length} cores, ${cpus()[0]?.model ?? 'unknown'}, Node ${process.versions.node}\n`);
console.log(table(existsSync(REPORT) ? readFileSync(REPORT, 'utf8').trim().split('\n') : []));
process.exitCode = code === 0 ? 0 : 1;

function table(lines) {
  const head = ['fault', ...COUNTS, 'other'];
  const rows = lines.map((line) => {
    const figures = JSON.parse(line);
    const other = Object.entries(figures).filter(([name]) => !HIDDEN.has(name));
    const others = other.map(([name, value]) => `${name} ${JSON.stringify(value)}`).join(', ');
    return [figures.fault, ...COUNTS.map((name) => figures[name] ?? ''), others];
  });
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/**
 * Runs two variants of one measurement in turn, so that a slow moment of the machine meets both: `compare burst
 * users=1000 users=15000,workers=2`.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { ROOT } from '../lib/machine.js';
import { median, rounded, table, type Report } from '../lib/report.js';

const run = promisify(execFile);

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const [name, ...variants] = positionals;
if (name === undefined || variants.length !== 2) {
  throw new Error('compare [--rounds 3] <measurement> <option=value,…> <option=value,…>');
}

interface Run extends Report {
  readonly correct: boolean;
}

async function measure(variant: string): Promise<Run> {
  const file = join(ROOT, `bench/dist/measurements/${name}.js`);
  const options = variant.split(',').map((option) => `--${option}`);
  const { stdout } = await run(process.execPath, [file, '--json', ...options]);
  return JSON.parse(stdout) as Run;
}

/** Collects the figures by name, one value for each run. */
function figuresOf(runs: readonly Run[]): Map<string, number[]> {
  const figures = new Map<string, number[]>();
  const add = (figure: string, value: number): void => {
    figures.set(figure, [...(figures.get(figure) ?? []), value]);
  };
  for (const { figures: rows, latencies = {} } of runs) {
    for (const { name: figure, unit, value } of rows) add(`${figure}, ${unit}`, value);
    for (const [what, { p50, p99 }] of Object.entries(latencies)) {
      add(`${what}: p50, ms`, p50);
      add(`${what}: p99, ms`, p99);
    }
  }
  return figures;
}

const runs: [Run[], Run[]] = [[], []];
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const [at, variant] of variants.entries()) {
    console.error(`round ${round} of ${values.rounds}: ${name} ${variant}`);
    runs[at]!.push(await measure(variant));
  }
}
const [a, b] = runs.map(figuresOf) as [Map<string, number[]>, Map<string, number[]>];
const rows = [...a].flatMap(([figure, valuesOfA]) => {
  const valuesOfB = b.get(figure);
  if (valuesOfB === undefined) return [];
  const [one, other] = [median(valuesOfA), median(valuesOfB)];
  return [[figure, rounded(one), rounded(other), rounded(other / one)]];
});
console.log(table([[`medians of ${values.rounds}`, variants[0]!, variants[1]!, 'ratio'], ...rows]));
process.exitCode = runs.flat().every(({ correct }) => correct) ? 0 : 1;

import { isFaultless, type Percentiles, type Verdict } from '@ws-gateway/load-generator';
import { GATEWAY_CORE, machine } from './machine.js';

const FOREIGN_PERCENT_MAX = 5;

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Report {
  readonly figures: readonly Figure[];
  /** Latencies in milliseconds. */
  readonly latencies?: Readonly<Record<string, Percentiles>>;
  /** What arrived, by receiver. Any fault makes the run worthless. */
  readonly verdicts: Readonly<Record<string, Verdict>>;
}

export function isCorrect(report: Report): boolean {
  return Object.values(report.verdicts).every(isFaultless);
}

/** Adds two verdicts: of the same receivers at different times, or of different receivers. */
export function addVerdicts(a: Verdict, b: Verdict): Verdict {
  return {
    received: a.received + b.received,
    lost: a.lost + b.lost,
    duplicates: a.duplicates + b.duplicates,
    outOfOrder: a.outOfOrder + b.outOfOrder,
    misdelivered: a.misdelivered + b.misdelivered,
  };
}

export const NO_VERDICT: Verdict = { received: 0, lost: 0, duplicates: 0, outOfOrder: 0, misdelivered: 0 };

/**
 * Makes the figures of what processes and cores did with their time, from what `UsageSeries.between` says. `measured`
 * are the names of the processes on the gateway's core: whatever else ran there is noise, and much of it makes the run
 * worthless.
 */
export function busyFigures(
  cpu: Readonly<Record<string, number>>,
  seconds: number,
  measured: readonly string[],
): Figure[] {
  const own = measured.reduce((sum, name) => sum + (cpu[name] ?? 0), 0);
  const foreign = (cpu[`core ${GATEWAY_CORE}`] ?? NaN) - own;
  const percent = (name: string, used: number): Figure => ({ name, value: (100 * used) / seconds, unit: '%' });
  return [
    ...Object.entries(cpu).map(([name, used]) => percent(`busy: ${name}`, used)),
    { ...percent("others on the gateway's core", foreign), atMost: FOREIGN_PERCENT_MAX },
  ];
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Adds rows name by name, such as `UsageSeries.between` makes. */
export function sumOf(rows: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows) for (const [name, value] of Object.entries(row)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}

/** Median; of an even number of values the higher one in the middle. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

export function reportJson(name: string, options: Readonly<Record<string, number>>, report: Report): string {
  return JSON.stringify({ bench: name, machine: machine(), options, correct: isCorrect(report), ...report }, null, 2);
}

export function reportText(name: string, options: Readonly<Record<string, number>>, report: Report): string {
  const { figures, latencies, verdicts } = report;
  const setup = Object.entries(options).map(([key, value]) => `${key} ${value}`);
  const { cpu, cores, node } = machine();
  const parts = [`${name}: ${setup.join(', ')}`, `${cores} cores, ${cpu}, Node ${node}`, ''];
  if (latencies !== undefined) parts.push(table(latencyRows(latencies)), '');
  parts.push(table([['figure', 'value', 'unit', 'goal', ''], ...figures.map(figureRow)]), '');
  parts.push(table(verdictRows(verdicts)), '');
  return parts.join('\n');
}

function latencyRows(latencies: Readonly<Record<string, Percentiles>>): string[][] {
  const columns = ['p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const;
  const rows = Object.entries(latencies).map(([name, values]) => [name, ...columns.map((c) => values[c].toFixed(2))]);
  return [['ms', ...columns], ...rows];
}

function figureRow({ name, value, unit, atMost, atLeast }: Figure): string[] {
  const goal = atMost === undefined ? (atLeast === undefined ? '' : `>= ${atLeast}`) : `<= ${atMost}`;
  const met = value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity);
  return [name, rounded(value), unit, goal, goal === '' ? '' : met ? 'met' : 'MISSED'];
}

function verdictRows(verdicts: Readonly<Record<string, Verdict>>): string[][] {
  const columns = ['received', 'lost', 'duplicates', 'outOfOrder', 'misdelivered'] as const;
  return [
    ['records', ...columns],
    ...Object.entries(verdicts).map(([name, verdict]) => [name, ...columns.map((column) => String(verdict[column]))]),
  ];
}

export function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}

/** Writes a table: first column to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

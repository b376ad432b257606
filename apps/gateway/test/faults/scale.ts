import { appendFile } from 'node:fs/promises';

/**
 * True for the measured version of the faults, as docs/guarantees.md says (`node bench/faults/run.mjs`); false: small
 * enough for every test run.
 */
export const isFull = process.env['WSGATEWAY_FAULTS'] === 'full';

/** Records a second of the measured version; less lets several faults that last for minutes be measured side by side. */
const FULL_RATE = Number(process.env['WSGATEWAY_FAULTS_RATE'] ?? 2000);

export const scale = isFull
  ? { users: FULL_RATE / 4, rate: FULL_RATE, times: 10, timeoutMs: 900_000 }
  : { users: 50, rate: 300, times: 2, timeoutMs: 90_000 };

/**
 * Returns a promised time. The measured version, which has its machine to itself, keeps it to the letter; an ordinary
 * test run shares two cores with other tests, and only tells "late" from "never".
 */
export function promisedMs(ms: number): number {
  return isFull ? ms : 5 * ms;
}

export function userNames(count: number = scale.users): string[] {
  return Array.from({ length: count }, (_, i) => `u${i}`);
}

/** Writes a row for docs/guarantees.md; does nothing in an ordinary test run. */
export async function report(fault: string, figures: Readonly<Record<string, unknown>>): Promise<void> {
  const file = process.env['WSGATEWAY_FAULTS_REPORT'];
  if (file !== undefined) await appendFile(file, `${JSON.stringify({ fault, ...figures })}\n`);
}

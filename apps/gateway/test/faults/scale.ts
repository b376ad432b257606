import { appendFile } from 'node:fs/promises';

/**
 * How hard a fault is tried: small enough for every test run, or, for the measured version, as docs/guarantees.md says
 * (`node bench/faults/run.mjs`).
 */
export const isFull = process.env['WSGATEWAY_FAULTS'] === 'full';

export const scale = isFull
  ? { users: 500, rate: 2000, times: 10, timeoutMs: 900_000 }
  : { users: 50, rate: 300, times: 2, timeoutMs: 90_000 };

/**
 * A promised time. Kept to the letter in the measured version, which has its machine to itself; an ordinary test run
 * shares two cores with other tests, and there only tells "late" from "never".
 */
export function promisedMs(ms: number): number {
  return isFull ? ms : 5 * ms;
}

export function userNames(count: number = scale.users): string[] {
  return Array.from({ length: count }, (_, i) => `u${i}`);
}

/** A row for docs/guarantees.md; nothing in an ordinary test run. */
export async function report(fault: string, figures: Readonly<Record<string, unknown>>): Promise<void> {
  const file = process.env['WSGATEWAY_FAULTS_REPORT'];
  if (file !== undefined) await appendFile(file, `${JSON.stringify({ fault, ...figures })}\n`);
}

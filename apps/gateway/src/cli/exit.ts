import { findingsText, type Finding } from '../config/language/finding.js';

/** 0: done. 1: a failure at run time. 2: bad usage, or a configuration with findings. */
export const exitCodes = { ok: 0, failure: 1, usage: 2 } as const;

/** Ends a command with a code and, unless everything is said already, one line. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

export function failure(message: string, cause?: unknown): CliError {
  return new CliError(exitCodes.failure, message, { cause });
}

export function badUsage(message: string): CliError {
  return new CliError(exitCodes.usage, message);
}

export function badConfig(findings: readonly Finding[]): CliError {
  return new CliError(exitCodes.usage, findingsText(findings));
}

/** Text of whatever was thrown. Of several errors in one the first is told: a name may have several addresses. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error.message || error.name;
}

/** Text of why a `fetch` failed. Its own error only ever says that it did. */
export function fetchReasonOf(error: unknown): string {
  return reasonOf(error instanceof Error ? (error.cause ?? error) : error);
}

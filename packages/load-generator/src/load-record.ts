/**
 * Shape of a run. Records are numbered from 0. Record n is for user n modulo the number of users, so one number tells
 * whose it is, which of the user's records came before it, and where its times are kept.
 */
export interface LoadShape {
  readonly users: number;
  readonly records: number;
  /** Users, or what stands in their place, whose records one socket gets: itself and those that follow. Default 1. */
  readonly perSocket?: number;
}

const NUMBER_MARK = Buffer.from('"payload":{"n":');
const DIGIT_0 = 0x30;

/** Name of a user that no real user of a gateway has. */
export function userName(user: number): string {
  return `load-${String(user).padStart(6, '0')}`;
}

/** Makes the value of record n: an envelope of exactly `bytes` bytes, if that is enough for the envelope itself. */
export function loadRecord(n: number, users: number, bytes: number): string {
  const head = `{"id":"n-${n}","type":"notification","user_id":"${userName(n % users)}","payload":{"n":${n},"title":"load","body":"`;
  const tail = `"},"timestamp":"${new Date().toISOString()}"}`;
  return head + 'x'.repeat(Math.max(0, bytes - head.length - tail.length)) + tail;
}

/**
 * Finds the number in a record or in the frame made of it; -1 when there is none. It looks for bytes and parses
 * nothing, because it must be cheap.
 */
export function readNumber(bytes: Buffer, start: number, end: number): number {
  const mark = bytes.indexOf(NUMBER_MARK, start);
  if (mark < 0 || mark >= end) return -1;
  let n = 0;
  for (let at = mark + NUMBER_MARK.length; at < end; at++) {
    const digit = bytes[at]! - DIGIT_0;
    if (digit < 0 || digit > 9) break;
    n = n * 10 + digit;
  }
  return n;
}

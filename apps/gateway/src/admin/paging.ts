import { AdminError } from './admin-error.js';

/** Rows of an answer, where nothing is asked for, and at most. */
const LIMIT = 100;
const LIMIT_MAX = 1000;

/** Throws AdminError. */
export function limitOf(query: URLSearchParams, unasked = LIMIT): number {
  const text = query.get('limit');
  if (text === null) return unasked;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return limit;
  throw new AdminError('bad_request', `limit: a whole number from 1 to ${LIMIT_MAX}`);
}

/** What a cursor stands for: the last row before; '' without one. Throws AdminError. */
export function lastBefore(query: URLSearchParams): string {
  const cursor = query.get('cursor') ?? '';
  const last = Buffer.from(cursor, 'base64url').toString();
  if (cursorOf(last) === cursor) return last;
  throw new AdminError('bad_request', 'cursor: as the answer before gave it');
}

export function cursorOf(last: string): string {
  return Buffer.from(last).toString('base64url');
}

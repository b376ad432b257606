import type { Block } from '../engine.js';
import { reject, type Rejection } from './decoded.js';
import { isObject } from '../json.js';
import { parseRfc3339 } from './rfc3339.js';

/**
 * The payload of a user-blocks record: {blocked, reason?, expires_at?}. null: the user is not blocked (any more), which
 * also holds when `expires_at` has passed. What cannot be read never blocks anybody.
 */
export function readBlock(payload: unknown, nowMs: number): Block | null | Rejection {
  if (!isObject(payload)) return reject('bad_member', 'payload is not an object');
  const { blocked, reason, expires_at: expiresAt } = payload;
  if (typeof blocked !== 'boolean') return reject('bad_member', 'blocked is neither true nor false');
  if (!isAbsent(reason) && typeof reason !== 'string') return reject('bad_member', 'reason is not text');
  let expiresAtMs: number | null = null;
  if (!isAbsent(expiresAt)) {
    expiresAtMs = typeof expiresAt === 'string' ? parseRfc3339(expiresAt) : null;
    if (expiresAtMs === null) return reject('bad_member', 'expires_at is not RFC 3339 text');
  }
  if (!blocked || (expiresAtMs !== null && expiresAtMs <= nowMs)) return null;
  return { reason: typeof reason === 'string' ? reason : '', expiresAtMs };
}

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

import type { Connection } from './connection.js';

const WINDOW_MS = 1000;
/** So many windows in a row over the limit, or so many times the limit within one, end the connection (4503). */
const PATIENCE = 10;

export type LimitVerdict = 'allowed' | 'rate_limited' | 'close';

/** Requests per second of one connection, in fixed windows kept on the connection itself: no timer, no allocation. */
export function limitRequest(connection: Connection, perSecond: number, nowMs: number): LimitVerdict {
  if (perSecond === 0) return 'allowed';
  const elapsedMs = nowMs - connection.rateWindowMs;
  if (elapsedMs >= WINDOW_MS) {
    const consecutive = elapsedMs < 2 * WINDOW_MS && connection.rateCount > perSecond;
    connection.rateExceededWindows = consecutive ? connection.rateExceededWindows + 1 : 0;
    connection.rateWindowMs = nowMs;
    connection.rateCount = 0;
  }
  connection.rateCount++;
  if (connection.rateCount <= perSecond) return 'allowed';
  if (connection.rateExceededWindows >= PATIENCE - 1 || connection.rateCount > PATIENCE * perSecond) return 'close';
  return 'rate_limited';
}

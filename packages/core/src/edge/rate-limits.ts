import type { Connection } from './delivery/connection.js';

/**
 * Handshakes a second on this node, as a bucket that holds one second's worth: a storm after a failure is spread over
 * time before it costs signature checks and engine calls.
 */
export class HandshakeRate {
  #left = Infinity;
  #atMs = 0;

  /** `perSecond` 0: no limit. It may change from one call to the next. */
  take(perSecond: number, nowMs: number): boolean {
    if (perSecond === 0) return true;
    this.#left = Math.min(perSecond, this.#left + ((nowMs - this.#atMs) * perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}

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

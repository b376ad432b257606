import type { Connection } from './delivery/connection.js';

/** So much a second, as a bucket that holds one second's worth. Times are those of the monotonic clock. */
export class TokenBucket {
  #left = Number.POSITIVE_INFINITY;
  #atMs = 0;

  /**
   * `perSecond` 0: no limit. It may change from one call to the next. What costs more than is left is taken all the same,
   * if anything is left, and waited for longer.
   */
  take(perSecond: number, nowMs: number, cost = 1): boolean {
    if (!this.has(perSecond, nowMs)) return false;
    if (perSecond > 0) this.#left -= cost;
    return true;
  }

  /** Tells whether `take` would be granted now. */
  has(perSecond: number, nowMs: number): boolean {
    if (perSecond === 0) return true;
    this.#left = Math.min(perSecond, this.#left + ((nowMs - this.#atMs) * perSecond) / 1000);
    this.#atMs = nowMs;
    return this.#left >= 1;
  }

  /** Time in ms after which `take` would be granted; 0: now. */
  msUntil(perSecond: number, nowMs: number): number {
    return this.has(perSecond, nowMs) ? 0 : Math.ceil(((1 - this.#left) * 1000) / perSecond);
  }

  /** So much time has passed that it could be forgotten. */
  isFull(perSecond: number, nowMs: number): boolean {
    return this.#left + ((nowMs - this.#atMs) * perSecond) / 1000 >= perSecond;
  }
}

/** A bucket for each connection that needs one. */
export class ConnectionBuckets {
  readonly #buckets = new WeakMap<Connection, TokenBucket>();

  /** `perSecond` 0: no limit. */
  take(connection: Connection, perSecond: number, cost = 1): boolean {
    if (perSecond === 0) return true;
    let bucket = this.#buckets.get(connection);
    if (bucket === undefined) this.#buckets.set(connection, (bucket = new TokenBucket()));
    return bucket.take(perSecond, performance.now(), cost);
  }
}

const WINDOW_MS = 1000;
/** Number of windows in a row over the limit, or times the limit within one window, that end the connection (4503). */
const PATIENCE = 10;

export type LimitVerdict = 'allowed' | 'rate_limited' | 'close';

/** What one connection may ask for in a second; 0: no limit. */
export interface RequestRate {
  readonly requestsPerSecond: number;
  /** Of frames, whatever is in them. */
  readonly requestBytesPerSecond: number;
}

/**
 * Counts a frame of a connection, in fixed windows kept on the connection itself: no timer, no allocation. A frame counts
 * for no more bytes than a window allows: the limit of a frame's size may be larger, and who sends a large one after a
 * pause has done nothing wrong. What follows in the same window is surplus.
 */
export function limitRequest(connection: Connection, rate: RequestRate, bytes: number, nowMs: number): LimitVerdict {
  const elapsedMs = nowMs - connection.rateWindowMs;
  if (elapsedMs >= WINDOW_MS) {
    const consecutive = elapsedMs < 2 * WINDOW_MS && timesOver(connection, rate) > 1;
    connection.rateExceededWindows = consecutive ? connection.rateExceededWindows + 1 : 0;
    connection.rateWindowMs = nowMs;
    connection.rateCount = 0;
    connection.rateBytes = 0;
  }
  connection.rateCount++;
  connection.rateBytes += Math.min(bytes, rate.requestBytesPerSecond);
  const times = timesOver(connection, rate);
  if (times <= 1) return 'allowed';
  return connection.rateExceededWindows >= PATIENCE - 1 || times > PATIENCE ? 'close' : 'rate_limited';
}

/** How much of what is allowed in a window the connection has used. */
function timesOver({ rateCount, rateBytes }: Connection, rate: RequestRate): number {
  const byCount = rate.requestsPerSecond === 0 ? 0 : rateCount / rate.requestsPerSecond;
  const byBytes = rate.requestBytesPerSecond === 0 ? 0 : rateBytes / rate.requestBytesPerSecond;
  return Math.max(byCount, byBytes);
}

/** uWebSockets.js ends the whole process for an idleTimeout outside of 8..960 s (0 switches it off). */
const IDLE_SECONDS_MIN = 8;
const IDLE_SECONDS_MAX = 960;

/**
 * After how many silent seconds uWebSockets.js drops a peer: 41 s for a heartbeat of 25 s. Its clock ticks every 4 s, so
 * it may be 4 s earlier; the margin leaves a ping that long and more to be answered. 0 means no heartbeat.
 *
 * Only what the peer sends counts as life; what is sent to it does not.
 */
export function idleTimeoutSeconds(heartbeatMs: number): number {
  if (heartbeatMs <= 0) return 0;
  const heartbeat = Math.ceil(heartbeatMs / 1000);
  const margin = Math.max(8, Math.min(16, heartbeat));
  return Math.min(IDLE_SECONDS_MAX, Math.max(IDLE_SECONDS_MIN, heartbeat + margin));
}

/** So often its peers must be pinged for uWebSockets.js not to drop them. */
export function pingIntervalMs(heartbeatMs: number): number {
  return Math.min(heartbeatMs, IDLE_SECONDS_MAX * 1000 * 0.9);
}

import type { UwsSocket } from './uws-socket.js';

/** uWebSockets.js ends the whole process for an idleTimeout outside of 8..960 s (0 switches it off). */
const IDLE_SECONDS_MIN = 8;
const IDLE_SECONDS_MAX = 960;
/** A slot of the wheel: so much of the interval is pinged in one go. */
const SLOT_MS = 250;

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

/**
 * Pings every socket once a heartbeat, each at its own time. uWebSockets.js' own pings come all at once for sockets that
 * came together, as after a deploy: 2,500 of them held a node for tens of milliseconds every 25 s, and the p99 of
 * bench/latency with it (36 ms above Kafka's acknowledgement against 8 ms without).
 */
export class PingWheel {
  readonly #slots: Set<UwsSocket>[];
  readonly #timer: NodeJS.Timeout | null;
  #next = 0;

  constructor(heartbeatMs: number) {
    const intervalMs = Math.min(heartbeatMs, IDLE_SECONDS_MAX * 1000 * 0.9);
    this.#slots = Array.from({ length: Math.max(1, Math.floor(intervalMs / SLOT_MS)) }, () => new Set());
    this.#timer = heartbeatMs <= 0 ? null : setInterval(() => this.#turn(), SLOT_MS);
    this.#timer?.unref();
  }

  /** Returns the slot, to be given back to `remove`. */
  add(socket: UwsSocket): number {
    const slot = Math.floor(Math.random() * this.#slots.length);
    this.#slots[slot]!.add(socket);
    return slot;
  }

  remove(socket: UwsSocket, slot: number): void {
    this.#slots[slot]?.delete(socket);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  #turn(): void {
    for (const socket of this.#slots[this.#next]!) socket.ping();
    this.#next = (this.#next + 1) % this.#slots.length;
  }
}

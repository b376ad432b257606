import { closeReason, type CloseReason } from '@ws-gateway/core';

/** Pings and pongs of a peer in a second; whoever means well sends one in many seconds. */
const PER_SECOND_MAX = 100;
/** Pings in a row whose answers may wait for a peer that does not read. */
const UNREAD_MAX = 250;
const WINDOW_MS = 1000;

/**
 * The control frames of one peer. uWebSockets.js answers pings by itself, and no limit of the edge hears of them: they are
 * counted here, or a peer could keep the loop busy with them, and the memory by not reading the answers.
 */
export class ControlFrames {
  #windowMs = -Infinity;
  #count = 0;
  #unread = 0;

  /** Counts one. Gives the reason to end the socket, null: none. */
  take(bufferedBytes: number, nowMs: number): CloseReason | null {
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#count = 0;
    }
    this.#unread = bufferedBytes === 0 ? 0 : this.#unread + 1;
    if (++this.#count > PER_SECOND_MAX) return closeReason('rate_limited');
    return this.#unread > UNREAD_MAX ? closeReason('slow_consumer') : null;
  }
}

import { HALF_DAY_MS } from '../half-days.js';
import type { StreamName } from '../streams.js';

/** An epoch is good so long after the half day in which it was told. */
const TOLD_HALF_DAYS = 2;
/** What was written is remembered for longer than any epoch is good that was told before it. */
export const EPOCH_KEPT_MS_MIN = (TOLD_HALF_DAYS + 1) * HALF_DAY_MS;

/**
 * Epochs of streams that were never written, of which nothing is kept: they follow from the time. The first message begins
 * the epoch of its half day. Who was told offset 0 within the last two has missed nothing: what was written since is
 * known, and all of it behind that offset.
 */
export class UnwrittenEpochs {
  readonly #store: string;
  /** When streams were erased: they begin again under other epochs. */
  readonly #erased = new Map<StreamName, number>();

  /** `store` is another one for each start of the program. */
  constructor(store: string) {
    this.#store = store;
  }

  /** The epoch of now, and behind it those that were told before and are good. */
  of(stream: StreamName, nowMs: number): readonly [string, ...string[]] {
    const erasedMs = this.#erased.get(stream);
    const erased = erasedMs === undefined ? '' : `x${erasedMs.toString(36)}`;
    const halfDay = Math.floor(nowMs / HALF_DAY_MS);
    const epochOf = (ago: number): string => `${this.#store}u${(halfDay - ago).toString(36)}${erased}`;
    return [epochOf(0), ...Array.from({ length: TOLD_HALF_DAYS }, (_, before) => epochOf(before + 1))];
  }

  erase(stream: StreamName, nowMs: number): void {
    this.#erased.set(stream, nowMs);
  }

  sweep(nowMs: number): void {
    for (const [stream, erasedMs] of this.#erased) {
      if (erasedMs + EPOCH_KEPT_MS_MIN < nowMs) this.#erased.delete(stream);
    }
  }
}

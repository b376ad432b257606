/**
 * Nothing is kept of streams that were never written: their epochs follow from the time, one for each half day (UTC). See
 * Engine.keep.
 */
export const HALF_DAY_MS = 43_200_000;

const ENDING_MS = 1_800_000;

/** True in the last half hour of a half day. `timeMs` is a time of day. */
export function isHalfDayEnding(timeMs: number): boolean {
  return timeMs % HALF_DAY_MS >= HALF_DAY_MS - ENDING_MS;
}

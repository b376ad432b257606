/** The time in ms since the epoch, as fine as a clock tells it: what follows each other within a millisecond stays in order. */
export function fineNowMs(): number {
  return performance.timeOrigin + performance.now();
}

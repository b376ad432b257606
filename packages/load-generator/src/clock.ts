/**
 * Returns microseconds of the machine's monotonic clock, which is the same in all processes: times of two of them can
 * be compared. performance.now() would be cheaper (this takes 0.13 µs), but counts from the start of each process.
 */
export function nowMicros(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/**
 * Microseconds of the machine's monotonic clock, the same in all processes: times of two of them can be compared.
 * performance.now() would be cheaper (this is 0.13 µs), but counts from each process's own start.
 */
export function nowMicros(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** Whole minutes that times on an axis may be apart. */
const TIME_STEPS = [1, 2, 5, 10, 15, 20, 30];
const MINUTE_MS = 60_000;
const EVEN = [2, 4, 6, 8, 10];

/**
 * The end of an axis from 0 whose half is as round as it is: the smallest that holds `max`, and no less than `least`. `unit`
 * is what the numbers are counted in: 1, or 1024 for bytes.
 */
export function roundTop(max: number, { least, base = 10 }: { least: number; base?: number }): number {
  const wanted = Math.max(max, least);
  const unit = base === 10 ? 1 : base ** Math.floor(Math.log(wanted) / Math.log(base));
  const power = 10 ** Math.floor(Math.log10(wanted / unit));
  for (const magnitude of [power / 10, power, power * 10]) {
    const found = EVEN.find((even) => even * magnitude * unit >= wanted * (1 - 1e-9));
    if (found !== undefined) return found * magnitude * unit;
  }
  return wanted;
}

/** Round times of the reader's clock between two others, as many as there is room for. */
export function timeTicks(fromMs: number, toMs: number, room: number): number[] {
  const step = TIME_STEPS.find((minutes) => (toMs - fromMs) / (minutes * MINUTE_MS) <= room) ?? 60;
  const stepMs = step * MINUTE_MS;
  // Zones differ from UTC by hours, halves and quarters.
  const offsetMs = -new Date(fromMs).getTimezoneOffset() * MINUTE_MS;
  const first = Math.ceil((fromMs + offsetMs) / stepMs) * stepMs - offsetMs;
  const ticks: number[] = [];
  for (let atMs = first; atMs <= toMs; atMs += stepMs) ticks.push(atMs);
  return ticks;
}

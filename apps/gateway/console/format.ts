const count = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** Writes a number in full as long as it fits. */
export function formatCount(value: number): string {
  return value < 100_000 ? count.format(value) : compact.format(value);
}

export function formatRate(value: number): string {
  return value > 0 && value < 10 ? value.toFixed(1) : formatCount(value);
}

export function formatSeconds(seconds: number): string {
  if (seconds < 0.01) return `${(seconds * 1000).toFixed(1)} ms`;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return formatAge(seconds);
}

/** Writes an age in its two largest units. */
export function formatAge(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} m`;
  if (minutes > 0) return `${minutes} m ${Math.floor(seconds) % 60} s`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

const dates = new Intl.DateTimeFormat(globalThis.navigator?.languages, { dateStyle: 'medium', timeStyle: 'medium' });

/** Writes a time as the reader's language does. */
export function formatDate(time: string): string {
  return dates.format(new Date(time));
}

const clocks = {
  minutes: new Intl.DateTimeFormat(globalThis.navigator?.languages, { timeStyle: 'short' }),
  seconds: new Intl.DateTimeFormat(globalThis.navigator?.languages, { timeStyle: 'medium' }),
};

/** Writes a time of the day as the reader's language does. */
export function formatClock(timeMs: number, to: 'minutes' | 'seconds' = 'minutes'): string {
  return clocks[to].format(timeMs);
}

/** Writes a share of one as percent. */
export function formatShare(share: number): string {
  return `${share < 0.1 && share > 0 ? (share * 100).toFixed(1) : Math.round(share * 100)} %`;
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

export function formatTime(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}

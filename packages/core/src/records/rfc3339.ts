const RFC_3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d+)?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/**
 * ms since the epoch, or null when the text is not RFC 3339. Date.parse is no use: it takes `2026` and `Jan 1`, and
 * refuses the leap second that RFC 3339 allows.
 */
export function parseRfc3339(text: string): number | null {
  const match = RFC_3339.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const offsetHour = Number(match[9] ?? 0);
  const offsetMinute = Number(match[10] ?? 0);
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59) return null;
  const date = new Date(0);
  // Not Date.UTC: it reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  date.setUTCHours(hour, minute, second, Math.floor(Number(match[7] ?? 0) * 1000));
  const offsetMs = (offsetHour * 60 + offsetMinute) * 60_000;
  return date.getTime() - (match[8] === '-' ? -offsetMs : offsetMs);
}

/** The last moment that RFC 3339 can write: the end of the year 9999. */
const LAST_MS = 253_402_300_799_999;

/** Can be written as RFC 3339 by `formatRfc3339`. */
export function isWritableTime(ms: number): boolean {
  return ms >= 0 && ms <= LAST_MS;
}

let lastMs = 0;
let lastText = new Date(0).toISOString();

/** Records of a burst share their millisecond, so the text of the last one is kept. */
export function formatRfc3339(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** Writes a time that was given from outside: a whole second without a fraction, as nearly everybody gives it. */
export function formatGivenTime(ms: number): string {
  return formatRfc3339(ms).replace('.000Z', 'Z');
}

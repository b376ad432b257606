import type { LogEvent } from './log-event.js';
import { plainFields } from './plain-fields.js';

const OWN_NAMES = new Set(['timestamp', 'level', 'message']);

/**
 * Writes the event as one line of JSON. A field that has the name of one of the line's own members gets an underscore.
 */
export function jsonLine(event: LogEvent, withStack: boolean): string {
  const fields = plainFields(event.fields, { withStack });
  const entries = Object.entries(fields).map(([name, value]) => [OWN_NAMES.has(name) ? `${name}_` : name, value]);
  return JSON.stringify({
    timestamp: event.timestamp.toISOString(),
    level: event.level,
    message: event.message,
    ...(Object.fromEntries(entries) as Record<string, unknown>),
  });
}

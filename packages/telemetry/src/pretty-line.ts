import type { LogEvent } from './log-event.js';
import { plainFields } from './plain-fields.js';

const COLORS: Readonly<Record<string, number>> = { error: 31, warn: 33, info: 32, debug: 90 };
/** Text that can be read as one value without quotes. */
const BARE = /^[\w./:@+-]+$/;
/** JSON leaves these characters as they are, but a terminal may take them for commands. */
// oxlint-disable-next-line no-control-regex -- the rule is about these very characters
const TERMINAL_CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** Writes the event for people: time, level, message, fields; stacks on lines of their own. */
export function prettyLine(
  event: LogEvent,
  options: { readonly withStack: boolean; readonly colors: boolean },
): string {
  const { level, message, timestamp } = event;
  const time = timestamp.toISOString().slice(11, 23);
  const shownLevel = paint(level.toUpperCase().padEnd(5), options.colors ? COLORS[level] : undefined);
  const stacks: string[] = [];
  const fields = Object.entries(plainFields(event.fields, options)).map(
    ([name, value]) => ` ${safe(name)}=${shown(withoutStack(value, stacks))}`,
  );
  return [`${time} ${shownLevel} ${safe(message)}${fields.join('')}`, ...stacks].join('\n');
}

function withoutStack(value: unknown, stacks: string[]): unknown {
  if (typeof value !== 'object' || value === null || !('stack' in value) || typeof value.stack !== 'string')
    return value;
  const { stack, ...rest } = value;
  for (const line of stack.split('\n').slice(1)) stacks.push(`    ${safe(line.trim())}`);
  return rest;
}

function shown(value: unknown): string {
  return typeof value === 'string' && BARE.test(value) ? value : safe(JSON.stringify(value));
}

function paint(text: string, color: number | undefined): string {
  return color === undefined ? text : `\u001b[${color}m${text}\u001b[0m`;
}

function safe(text: string): string {
  return text.replace(TERMINAL_CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * Functions on JSON as text, for the places where parsing and writing it again would change its bytes. All of them
 * expect text that JSON.parse has accepted.
 */

const STRING_OR_SPACE = /"[^"\\]*(?:\\.[^"\\]*)*"|[ \t\n\r]+/g;

/** Removes insignificant white space; nothing else changes. */
export function compact(text: string): string {
  return text.replace(STRING_OR_SPACE, (part) => (part.startsWith('"') ? part : ''));
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/**
 * Tells whether lists and objects stand within each other at more levels. For text that is no JSON it may say anything.
 */
export function isNestedDeeper(text: string, levels: number): boolean {
  // No shorter text can be deeper.
  if (text.length <= levels) return false;
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) isInText = !isInText;
    else if (isInText) at += character === BACKSLASH ? 1 : 0;
    else if (OPENING.has(character) && ++depth > levels) return true;
    else if (CLOSING.has(character)) depth--;
  }
  return false;
}

/** Characters that Go's encoding/json escapes in text and JavaScript does not. */
const GO_ESCAPED = /[<>&\u2028\u2029]/g;

/** Writes JSON text as Go would have: these characters only occur within strings, so the whole text may be changed. */
export function escapeLikeGo(json: string): string {
  return json.replace(GO_ESCAPED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

type NumberReviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

/**
 * Matches numbers that may be written otherwise: sixteen digits in a row, an exponent, a last 0 behind the point, a
 * negative zero.
 */
const MAY_CHANGE = /\d{16}|\d[eE]|\.\d*0(?!\d)|-0/;

/**
 * Parses JSON and keeps numbers as they are written, also those that a double cannot hold (64-bit ids, 1e999, 1.0):
 * JSON.stringify writes them out as they came. Only text in which some may change pays for it.
 */
export function parseExact(text: string): unknown {
  return MAY_CHANGE.test(text) ? JSON.parse(text, keepNumber) : JSON.parse(text);
}

/** Returns the text of a string or number as `parseExact` gives it; null for anything else. */
export function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || isRawJSON(value) ? JSON.stringify(value) : null;
}

/** Node 22 has them; TypeScript's library does not know them yet. */
const { rawJSON, isRawJSON } = JSON as unknown as {
  readonly rawJSON: (text: string) => object;
  readonly isRawJSON: (value: unknown) => boolean;
};

const keepNumber: NumberReviver = (_, value, context) => {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && String(value) !== source ? rawJSON(source) : value;
};

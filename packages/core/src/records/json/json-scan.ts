/**
 * The parts of a scan over compact JSON without escapes and control characters, as nearly all producers write it. Each
 * function takes where something begins and returns the index behind it, or -1 when it isn't there. An index of -1 may
 * be passed on: nothing begins there.
 *
 * Sound, not complete: what these functions take is valid JSON, and -1 says nothing but that JSON.parse has to decide.
 */

/** Without these the next quote ends a string, and what is in it is its value. */
// oxlint-disable-next-line no-control-regex -- JSON's rule is about these very characters
export const UNUSUAL = /[\u0000-\u001f\\]/;

/** Levels of nesting; deeper values are left to JSON.parse, which needs no call stack. */
export const DEPTH_MAX = 32;

const SPACE = 0x20;
export const QUOTE = 0x22;
const PLUS = 0x2b;
export const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
export const OPEN_BRACKET = 0x5b;
export const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
export const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

export function valueEnd(json: string, at: number, depth: number): number {
  if (at < 0) return -1;
  const code = json.charCodeAt(at);
  if (code === QUOTE) return stringEnd(json, at);
  if (code === OPEN_BRACE) return objectEnd(json, at, depth + 1);
  if (code === OPEN_BRACKET) return arrayEnd(json, at, depth + 1);
  if (code === MINUS || isDigit(code)) return numberEnd(json, at);
  if (json.startsWith('true', at) || json.startsWith('null', at)) return at + 4;
  return json.startsWith('false', at) ? at + 5 : -1;
}

function objectEnd(json: string, at: number, depth: number): number {
  if (depth > DEPTH_MAX) return -1;
  let next = skipSpaces(json, at + 1);
  if (json.charCodeAt(next) === CLOSE_BRACE) return next + 1;
  for (;;) {
    next = valueEnd(json, colonEnd(json, stringEnd(json, next)), depth);
    if (next < 0) return -1;
    next = skipSpaces(json, next);
    const code = json.charCodeAt(next);
    if (code === CLOSE_BRACE) return next + 1;
    if (code !== COMMA) return -1;
    next = skipSpaces(json, next + 1);
  }
}

function arrayEnd(json: string, at: number, depth: number): number {
  if (depth > DEPTH_MAX) return -1;
  let next = skipSpaces(json, at + 1);
  if (json.charCodeAt(next) === CLOSE_BRACKET) return next + 1;
  for (;;) {
    next = valueEnd(json, next, depth);
    if (next < 0) return -1;
    next = skipSpaces(json, next);
    const code = json.charCodeAt(next);
    if (code === CLOSE_BRACKET) return next + 1;
    if (code !== COMMA) return -1;
    next = skipSpaces(json, next + 1);
  }
}

export function stringEnd(json: string, at: number): number {
  if (json.charCodeAt(at) !== QUOTE) return -1;
  const end = json.indexOf('"', at + 1);
  return end < 0 ? -1 : end + 1;
}

/** The colon behind a key, and the space around it. */
export function colonEnd(json: string, at: number): number {
  if (at < 0) return -1;
  const colon = skipSpaces(json, at);
  return json.charCodeAt(colon) === COLON ? skipSpaces(json, colon + 1) : -1;
}

function numberEnd(json: string, at: number): number {
  let next = json.charCodeAt(at) === MINUS ? at + 1 : at;
  next = json.charCodeAt(next) === ZERO ? next + 1 : digitsEnd(json, next);
  if (next > 0 && json.charCodeAt(next) === DOT) next = digitsEnd(json, next + 1);
  // 0x20 is what upper and lower case differ by.
  if (next < 0 || (json.charCodeAt(next) | SPACE) !== LOWER_E) return next;
  const sign = json.charCodeAt(next + 1);
  return digitsEnd(json, sign === PLUS || sign === MINUS ? next + 2 : next + 1);
}

/** Returns the end of at least one digit. */
function digitsEnd(json: string, at: number): number {
  let next = at;
  while (isDigit(json.charCodeAt(next))) next++;
  return next === at ? -1 : next;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

export function skipSpaces(json: string, at: number): number {
  while (json.charCodeAt(at) === SPACE) at++;
  return at;
}

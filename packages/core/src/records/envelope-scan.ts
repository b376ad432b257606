import { Members } from './members.js';

/**
 * Reads an envelope in one pass, without making the objects of its payload as JSON.parse would: half the cost for
 * payloads of many members.
 *
 * Sound, not complete. It takes only compact JSON without escapes and control characters, as nearly all producers write
 * it; null says nothing about the text but that JSON.parse has to decide. What it takes is valid JSON, and the members
 * are what JSON.parse would find.
 */
export function scanEnvelope(json: string): { members: Members; payload: string | null } | null {
  if (json.charCodeAt(0) !== OPEN_BRACE || UNUSUAL.test(json)) return null;
  const members = new Members();
  let payload: string | null = null;
  let at = 0;
  do {
    const keyStart = skipSpaces(json, at + 1);
    const keyEnd = stringEnd(json, keyStart);
    const start = colonEnd(json, keyEnd);
    const end = valueEnd(json, start, 0);
    if (end < 0) return null;
    const key = json.slice(keyStart + 1, keyEnd - 1);
    if (key === 'payload') payload = json.slice(start, end);
    else if (isMemberName(key)) members[key] = valueOf(json.slice(start, end));
    at = skipSpaces(json, end);
  } while (json.charCodeAt(at) === COMMA);
  const whole = json.charCodeAt(at) === CLOSE_BRACE && skipSpaces(json, at + 1) === json.length;
  return whole ? { members, payload } : null;
}

/** Matches text without these characters: without them the next quote ends a string, and what is in it is its value. */
// oxlint-disable-next-line no-control-regex -- JSON's rule is about these very characters
const UNUSUAL = /[\u0000-\u001f\\]/;

/** Levels of nesting; deeper values are left to JSON.parse, which needs no call stack. */
const DEPTH_MAX = 32;

const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const LOWER_E = 0x65;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isMemberName(key: string): key is keyof Members {
  switch (key) {
    case 'id':
    case 'type':
    case 'user_id':
    case 'timestamp':
    case 'users':
    case 'room':
    case 'hub':
    case 'broadcast':
      return true;
    default:
      return false;
  }
}

function valueOf(text: string): unknown {
  return text.charCodeAt(0) === QUOTE ? text.slice(1, -1) : JSON.parse(text);
}

// Each of the following takes where something begins and returns the index behind it, or -1 when it isn't there. An index
// of -1 may be passed on: nothing begins there.

function valueEnd(json: string, at: number, depth: number): number {
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

function stringEnd(json: string, at: number): number {
  if (json.charCodeAt(at) !== QUOTE) return -1;
  const end = json.indexOf('"', at + 1);
  return end < 0 ? -1 : end + 1;
}

/** Finds the end of the colon behind a key, and of the space around it. */
function colonEnd(json: string, at: number): number {
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

/** Finds the end of at least one digit. */
function digitsEnd(json: string, at: number): number {
  let next = at;
  while (isDigit(json.charCodeAt(next))) next++;
  return next === at ? -1 : next;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

function skipSpaces(json: string, at: number): number {
  while (json.charCodeAt(at) === SPACE) at++;
  return at;
}

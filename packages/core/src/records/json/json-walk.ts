/**
 * Walks over JSON text that has passed JSON.parse: these functions rely on that and check nothing. They take any valid
 * JSON, unlike those of json-scan.ts, and need no call stack for what is nested.
 */

/** Calls `visit` for each member of the object that opens at `at`, with the key as JSON.parse would read it. */
export function eachMember(json: string, at: number, visit: (key: string, start: number, end: number) => void): void {
  let next = skipSpace(json, at + 1);
  while (json.charCodeAt(next) !== CLOSE_BRACE) {
    const keyEnd = stringEnd(json, next);
    const raw = json.slice(next + 1, keyEnd - 1);
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = endOfValue(json, start);
    visit(raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw, start, end);
    next = skipSpace(json, end);
    if (json.charCodeAt(next) === COMMA) next = skipSpace(json, next + 1);
  }
}

/** Calls `visit` for each element of the array that opens at `at`. */
export function eachElement(
  json: string,
  at: number,
  visit: (index: number, start: number, end: number) => void,
): void {
  let next = skipSpace(json, at + 1);
  for (let index = 0; json.charCodeAt(next) !== CLOSE_BRACKET; index++) {
    const end = endOfValue(json, next);
    visit(index, next, end);
    next = skipSpace(json, end);
    if (json.charCodeAt(next) === COMMA) next = skipSpace(json, next + 1);
  }
}

const SPACE = 0x20;
const QUOTE = 0x22;
export const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
export const CLOSE_BRACE = 0x7d;

/** Skips white space, which in valid JSON is everything up to U+0020 between tokens. */
export function skipSpace(json: string, at: number): number {
  while (json.charCodeAt(at) <= SPACE) at++;
  return at;
}

/** The index behind the closing quote of the string that opens at `at`. indexOf beats a loop from four characters on. */
export function stringEnd(json: string, at: number): number {
  let end = json.indexOf('"', at + 1);
  while (json.charCodeAt(end - 1) === BACKSLASH && isEscaped(json, end)) end = json.indexOf('"', end + 1);
  return end + 1;
}

/** An odd run of backslashes before a quote makes it part of the string. The opening quote ends the run. */
function isEscaped(json: string, quoteAt: number): boolean {
  let at = quoteAt - 1;
  while (json.charCodeAt(at) === BACKSLASH) at--;
  return (quoteAt - 1 - at) % 2 === 1;
}

export function endOfValue(json: string, at: number): number {
  const code = json.charCodeAt(at);
  if (code === QUOTE) return stringEnd(json, at);
  if (code === OPEN_BRACE || code === OPEN_BRACKET) return endOfContainer(json, at);
  return endOfScalar(json, at);
}

/** Depth is a number, not a call stack: a million brackets are no danger. Kinds of bracket need no matching here. */
function endOfContainer(json: string, at: number): number {
  let depth = 0;
  for (let i = at; ; i++) {
    const code = json.charCodeAt(i);
    if (code === QUOTE) i = stringEnd(json, i) - 1;
    else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
}

function endOfScalar(json: string, at: number): number {
  for (let i = at + 1; ; i++) {
    const code = json.charCodeAt(i);
    // At the end of the text there is no code, and nothing is greater than that.
    if (!(code > SPACE) || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET) return i;
  }
}

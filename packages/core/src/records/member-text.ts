/**
 * Finds the text of one member of a JSON object, so that a payload is passed on as the producer wrote it: numbers such as
 * 1e400 or 12345678901234567890 and the order of keys would not survive JSON.parse and JSON.stringify.
 *
 * `json` must have passed JSON.parse and be an object: the scan relies on that and checks nothing. As with JSON.parse the
 * last of several members of one name wins. Returns null when there is none.
 */
export function memberText(json: string, name: string): string | null {
  let start = -1;
  let end = -1;
  let at = skipSpace(json, json.indexOf('{') + 1);
  while (json.charCodeAt(at) !== CLOSE_BRACE) {
    const keyEnd = stringEnd(json, at);
    const valueStart = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const valueEnd = endOfValue(json, valueStart);
    // An escaped spelling is longer than the name.
    if (keyEnd - at - 2 >= name.length && isKey(json.slice(at + 1, keyEnd - 1), name)) {
      start = valueStart;
      end = valueEnd;
    }
    at = skipSpace(json, valueEnd);
    if (json.charCodeAt(at) === COMMA) at = skipSpace(json, at + 1);
  }
  return start < 0 ? null : json.slice(start, end);
}

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** A key may be spelled with escapes: `p\u0061yload` is `payload` to JSON.parse, so it is here. */
function isKey(raw: string, name: string): boolean {
  return raw === name || (raw.includes('\\') && JSON.parse(`"${raw}"`) === name);
}

/** In valid JSON everything up to U+0020 between tokens is white space. */
function skipSpace(json: string, at: number): number {
  while (json.charCodeAt(at) <= SPACE) at++;
  return at;
}

/** The index behind the closing quote of the string that opens at `at`. indexOf beats a loop from four characters on. */
function stringEnd(json: string, at: number): number {
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

function endOfValue(json: string, at: number): number {
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
    if (code <= SPACE || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET) return i;
  }
}

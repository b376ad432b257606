import { CLOSE_BRACE, COMMA, endOfValue, skipSpace, stringEnd } from './json-walk.js';

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

/** A key may be spelled with escapes: `p\u0061yload` is `payload` to JSON.parse, so it is here. */
function isKey(raw: string, name: string): boolean {
  return raw === name || (raw.includes('\\') && JSON.parse(`"${raw}"`) === name);
}

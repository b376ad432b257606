import {
  CLOSE_BRACE,
  colonEnd,
  COMMA,
  OPEN_BRACE,
  QUOTE,
  skipSpaces,
  stringEnd,
  UNUSUAL,
  valueEnd,
} from '../json/json-scan.js';
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

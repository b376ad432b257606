import { isUtf8 } from 'node:buffer';
import { SchemaDataError } from './value-reader.js';

// oxlint-disable-next-line no-control-regex -- JSON's rule is about these very characters
const NEEDS_ESCAPE = /["\\\u0000-\u001f]/;

/** A JSON string. Nearly all texts need no escape, and testing is far cheaper than JSON.stringify. */
export function quoted(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
}

export function utf8Text(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new SchemaDataError('a text is not UTF-8');
  return bytes.toString('utf8');
}

/** JSON of a finite number, with which it can be made again. */
export function numberText(value: number): string {
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** The fewest digits that are this float: 0.1 of 32 bits is 0.10000000149011612 in 64. */
export function shortestFloat(value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return value;
}

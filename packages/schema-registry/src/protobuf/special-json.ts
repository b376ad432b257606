import { SchemaDataError } from '../value-reader.js';
import { quoted } from '../json-text.js';
import type { MessageTypes } from './message-types.js';
import type { WireInput } from './wire-input.js';

/** JSON of a well-known type by the JSON of its fields, in the order of their declaration; null: not written. */
export type SpecialJson = (fields: readonly (string | null)[], input: WireInput, types: MessageTypes) => string;

/** null: the type's JSON is an object with its fields. */
export function specialJson(typeName: string): SpecialJson | null {
  return typeName.startsWith(PACKAGE) ? (special.get(typeName.slice(PACKAGE.length)) ?? null) : null;
}

const PACKAGE = 'google.protobuf.';

/** The JSON of the only field that was written. */
const only =
  (zero: string): SpecialJson =>
  (fields) =>
    fields.find((text) => text !== null) ?? zero;

const special: ReadonlyMap<string, SpecialJson> = new Map<string, SpecialJson>([
  ['Timestamp', timestamp],
  ['Duration', duration],
  ['FieldMask', fieldMask],
  ['Any', any],
  ['Struct', only('{}')],
  ['ListValue', only('[]')],
  ['Value', only('null')],
  ['DoubleValue', only('0')],
  ['FloatValue', only('0')],
  ['Int64Value', only('"0"')],
  ['UInt64Value', only('"0"')],
  ['Int32Value', only('0')],
  ['UInt32Value', only('0')],
  ['BoolValue', only('false')],
  ['StringValue', only('""')],
  ['BytesValue', only('""')],
]);

/** Bounds of the years 1 to 9999, s since the epoch. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;
const DURATION_MAX = 315_576_000_000;
const NANOS = 1_000_000_000;

function timestamp([secondsText = null, nanosText = null]: readonly (string | null)[]): string {
  const [seconds, nanos] = [secondsOf(secondsText), Number(nanosText)];
  const isGood = seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < NANOS;
  if (!isGood) throw new SchemaDataError('a Timestamp is outside of the years 1 to 9999');
  return `"${new Date(seconds * 1000).toISOString().slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}${fraction(nanos)}Z"`;
}

function duration([secondsText = null, nanosText = null]: readonly (string | null)[]): string {
  const [seconds, nanos] = [secondsOf(secondsText), Number(nanosText)];
  const isGood = Math.abs(seconds) <= DURATION_MAX && Math.abs(nanos) < NANOS && seconds * nanos >= 0;
  if (!isGood) throw new SchemaDataError('a Duration is longer than 10,000 years, or its parts have two signs');
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `"${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s"`;
}

/** The text of a number of 64 bits; more than 2^53 is out of range wherever seconds are meant. */
function secondsOf(text: string | null): number {
  return text === null ? 0 : Number(text.slice(1, -1));
}

/** Three, six or nine digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  return `.${digits.replace(/(000){1,2}$/, '')}`;
}

function fieldMask([paths = null]: readonly (string | null)[]): string {
  const list = paths === null ? [] : (JSON.parse(paths) as string[]);
  return quoted(list.map((path) => path.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())).join(','));
}

/**
 * A type that is in none of the schema's files is not lost: its bytes are passed on. Everything else would refuse a
 * record for a part that perhaps nobody asks for.
 */
function any(
  [typeUrl = null, valueText = null]: readonly (string | null)[],
  input: WireInput,
  types: MessageTypes,
): string {
  if (typeUrl === null) return '{}';
  const name = typeUrl.slice(Math.max(typeUrl.lastIndexOf('/'), 0) + 1, -1);
  const type = types.named(name);
  const head = `{"@type":${typeUrl}`;
  if (type === null) return valueText === null ? `${head}}` : `${head},"value":${valueText}}`;
  const bytes = Buffer.from((valueText ?? '""').slice(1, -1), 'base64');
  const json = type.json(input.over(bytes), 0, bytes.length);
  if (type.isSpecial) return `${head},"value":${json}}`;
  return json === '{}' ? `${head}}` : `${head},${json.slice(1)}`;
}

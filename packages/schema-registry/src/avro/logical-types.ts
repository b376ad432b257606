import { own } from '@ws-gateway/core';
import { SchemaDataError } from '../value-reader.js';
import type { AvroInput } from './avro-input.js';
import type { Write } from './avro-write.js';

type Schema = Readonly<Record<string, unknown>>;

const DAY_MS = 86_400_000n;
/** From the year 0 to 9999: what RFC 3339 can write. */
const FIRST_MS = -62_167_219_200_000n;
const LAST_MS = 253_402_300_799_999n;

/** How many of a unit are a second, and the digits that writes. */
const units: Readonly<Record<string, { readonly perSecond: bigint; readonly digits: number }>> = {
  millis: { perSecond: 1000n, digits: 3 },
  micros: { perSecond: 1_000_000n, digits: 6 },
  nanos: { perSecond: 1_000_000_000n, digits: 9 },
};

/** null: the schema has no logical type, or one that is not known, which then counts as none. */
export function logicalWrite(schema: Schema): Write | null {
  const { logicalType, type } = schema;
  if (typeof logicalType !== 'string') return null;
  const isWhole = type === 'int' || type === 'long';
  if (logicalType === 'decimal' && (type === 'bytes' || type === 'fixed')) return decimal(schema);
  if (logicalType === 'date' && type === 'int') return (input) => input.put(`"${dateText(input.long())}"`);
  const [kind, unit] = [
    logicalType.slice(0, logicalType.lastIndexOf('-')),
    own(units, logicalType.slice(logicalType.lastIndexOf('-') + 1)),
  ];
  if (!isWhole || unit === undefined) return null;
  if (kind === 'time') return (input) => input.put(`"${clockText(input.long(), unit)}"`);
  if (kind === 'timestamp') return (input) => input.put(`"${timestampText(input.long(), unit)}Z"`);
  if (kind === 'local-timestamp') return (input) => input.put(`"${timestampText(input.long(), unit)}"`);
  return null;
}

function decimal(schema: Schema): Write {
  const scale = Number(schema['scale'] ?? 0);
  const size = schema['type'] === 'fixed' ? Number(schema['size']) : null;
  return (input: AvroInput) => {
    const bytes = input.bytes(size ?? input.index());
    input.put(`"${decimalText(bytes, scale)}"`);
  };
}

/** Bytes more than this would take long to write in tens, and no decimal of a database is as large. */
const DECIMAL_BYTES_MAX = 1024;

function decimalText(bytes: Buffer, scale: number): string {
  if (bytes.length > DECIMAL_BYTES_MAX)
    throw new SchemaDataError(`a decimal is longer than ${DECIMAL_BYTES_MAX} bytes`);
  const whole = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`));
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return whole < 0n ? `-${text}` : text;
}

function dateText(days: bigint): string {
  return isoOf(days * DAY_MS).slice(0, 'YYYY-MM-DD'.length);
}

function clockText(value: bigint, { perSecond, digits }: { perSecond: bigint; digits: number }): string {
  if (value < 0n || value >= 86_400n * perSecond) throw new SchemaDataError(`${value} is no time of a day`);
  const clock = isoOf((value / perSecond) * 1000n).slice('YYYY-MM-DDT'.length, 'YYYY-MM-DDTHH:MM:SS'.length);
  return `${clock}.${String(value % perSecond).padStart(digits, '0')}`;
}

function timestampText(value: bigint, { perSecond, digits }: { perSecond: bigint; digits: number }): string {
  const fraction = ((value % perSecond) + perSecond) % perSecond;
  const seconds = (value - fraction) / perSecond;
  return `${isoOf(seconds * 1000n).slice(0, 'YYYY-MM-DDTHH:MM:SS'.length)}.${String(fraction).padStart(digits, '0')}`;
}

function isoOf(ms: bigint): string {
  if (ms < FIRST_MS || ms > LAST_MS) throw new SchemaDataError('a time is outside of the years 0 to 9999');
  return new Date(Number(ms)).toISOString();
}

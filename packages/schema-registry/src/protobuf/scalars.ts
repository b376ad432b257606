import { ScalarType, type DescEnum } from '@bufbuild/protobuf';
import { numberText, quoted, shortestFloat, utf8Text } from '../json-text.js';
import { WireType, type WireInput } from './wire-input.js';

/** Reads one value that is no message as JSON. */
export interface Scalar {
  readonly wireType: number;
  readonly read: (input: WireInput) => string;
  /** JSON of what the value is when it was not written. */
  readonly zero: string;
}

const varint = (text: (low: number, high: number) => string, zero = '0'): Scalar => ({
  wireType: WireType.Varint,
  read(input) {
    input.varint();
    return text(input.low, input.high);
  },
  zero,
});
const fixed32 = (text: (low: number) => string): Scalar => ({
  wireType: WireType.Fixed32,
  read(input) {
    input.fixed32();
    return text(input.low);
  },
  zero: '0',
});
const fixed64 = (text: (low: number, high: number) => string): Scalar => ({
  wireType: WireType.Fixed64,
  read(input) {
    input.fixed64();
    return text(input.low, input.high);
  },
  zero: '"0"',
});

const signed = (low: number): string => String(low);
const unsigned = (low: number): string => String(low >>> 0);

export const scalars: Readonly<Record<ScalarType, Scalar>> = {
  [ScalarType.INT32]: varint(signed),
  [ScalarType.UINT32]: varint(unsigned),
  [ScalarType.SINT32]: varint((low) => String((low >>> 1) ^ -(low & 1))),
  [ScalarType.BOOL]: varint((low, high) => (low === 0 && high === 0 ? 'false' : 'true'), 'false'),
  [ScalarType.INT64]: varint(signed64, '"0"'),
  [ScalarType.UINT64]: varint(unsigned64, '"0"'),
  [ScalarType.SINT64]: varint(zigZag64, '"0"'),
  [ScalarType.FIXED32]: fixed32(unsigned),
  [ScalarType.SFIXED32]: fixed32(signed),
  [ScalarType.FIXED64]: fixed64(unsigned64),
  [ScalarType.SFIXED64]: fixed64(signed64),
  [ScalarType.FLOAT]: {
    wireType: WireType.Fixed32,
    read: (input) => real(shortestFloat(input.float())),
    zero: '0',
  },
  [ScalarType.DOUBLE]: { wireType: WireType.Fixed64, read: (input) => real(input.double()), zero: '0' },
  [ScalarType.STRING]: { wireType: WireType.Bytes, read: (input) => quoted(utf8Text(input.bytesHere())), zero: '""' },
  [ScalarType.BYTES]: {
    wireType: WireType.Bytes,
    read: (input) => `"${input.bytesHere().toString('base64')}"`,
    zero: '""',
  },
};

/** Reads a value as its name; a number that has none is a number, and the only value of NullValue is null. */
export function enumeration({ typeName, values }: DescEnum): Scalar {
  const isNull = typeName === 'google.protobuf.NullValue';
  const names = new Map<number, string>();
  for (const { number, name } of values) if (!names.has(number)) names.set(number, isNull ? 'null' : quoted(name));
  return varint((low) => names.get(low) ?? String(low), names.get(values[0]!.number)!);
}

/** JSON has no word for what is no number, so that proto3 JSON has texts. */
function real(value: number): string {
  return Number.isFinite(value) ? numberText(value) : `"${value}"`;
}

/** Numbers of 64 bits are texts in proto3 JSON: most readers of JSON would round them. */
function unsigned64(low: number, high: number): string {
  return high === 0 ? `"${low >>> 0}"` : `"${wide(low, high)}"`;
}

function signed64(low: number, high: number): string {
  return high === 0 ? `"${low >>> 0}"` : `"${BigInt.asIntN(64, wide(low, high))}"`;
}

function zigZag64(low: number, high: number): string {
  if (high === 0) return `"${low & 1 ? -(low >>> 1) - 1 : low >>> 1}"`;
  const value = wide(low, high);
  return `"${(value >> 1n) ^ -(value & 1n)}"`;
}

function wide(low: number, high: number): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

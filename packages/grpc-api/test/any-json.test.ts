import { describe, expect, it } from '@jest/globals';
import { create, createRegistry } from '@bufbuild/protobuf';
import {
  AnySchema,
  BoolValueSchema,
  BytesValueSchema,
  DoubleValueSchema,
  DurationSchema,
  EmptySchema,
  FieldMaskSchema,
  FloatValueSchema,
  Int32ValueSchema,
  Int64ValueSchema,
  ListValueSchema,
  MethodSchema,
  NullValue,
  StringValueSchema,
  StructSchema,
  TimestampSchema,
  UInt32ValueSchema,
  UInt64ValueSchema,
  ValueSchema,
  type Any,
} from '@bufbuild/protobuf/wkt';
import { anyJsonText } from '../src/any-json.js';
import { InvalidArgument } from '../src/call-status.js';
import { wellKnownFiles } from '@ws-gateway/proto-files';
import { anyOf } from './support/messages.js';

const types = createRegistry(...wellKnownFiles);

const list = { values: [{ kind: { case: 'boolValue' as const, value: true } }] };
const member = { kind: { case: 'numberValue' as const, value: 1.5 } };

/** Rows of the table "JSON mapping" in the proto3 guide. */
const mapped: [string, Any, unknown][] = [
  ['StringValue', anyOf(StringValueSchema, { value: 'a"\u2028\u{1F600}' }), 'a"\u2028\u{1F600}'],
  ['StringValue', anyOf(StringValueSchema, {}), ''],
  ['BoolValue', anyOf(BoolValueSchema, { value: false }), false],
  ['Int32Value', anyOf(Int32ValueSchema, { value: -7 }), -7],
  ['UInt32Value', anyOf(UInt32ValueSchema, { value: 4_294_967_295 }), 4_294_967_295],
  ['Int64Value', anyOf(Int64ValueSchema, { value: -(2n ** 63n) }), '-9223372036854775808'],
  ['UInt64Value', anyOf(UInt64ValueSchema, { value: 2n ** 64n - 1n }), '18446744073709551615'],
  ['FloatValue', anyOf(FloatValueSchema, { value: 0.5 }), 0.5],
  ['DoubleValue', anyOf(DoubleValueSchema, { value: NaN }), 'NaN'],
  ['DoubleValue', anyOf(DoubleValueSchema, { value: -Infinity }), '-Infinity'],
  ['BytesValue', anyOf(BytesValueSchema, { value: Uint8Array.of(251, 255, 0, 1) }), '+/8AAQ=='],
  ['Timestamp', anyOf(TimestampSchema, { seconds: 0n, nanos: 1 }), '1970-01-01T00:00:00.000000001Z'],
  ['Timestamp', anyOf(TimestampSchema, { seconds: 1_767_225_600n }), '2026-01-01T00:00:00Z'],
  ['Duration', anyOf(DurationSchema, { seconds: -1n, nanos: -500_000_000 }), '-1.500s'],
  ['FieldMask', anyOf(FieldMaskSchema, { paths: ['user.display_name', 'photo'] }), 'user.displayName,photo'],
  [
    'Struct',
    anyOf(StructSchema, { fields: { a: member, ['__proto__']: member } }),
    JSON.parse('{"a":1.5,"__proto__":1.5}'),
  ],
  ['ListValue', anyOf(ListValueSchema, list), [true]],
  ['Value', anyOf(ValueSchema, { kind: { case: 'nullValue', value: NullValue.NULL_VALUE } }), null],
  ['Value', anyOf(ValueSchema, { kind: { case: 'listValue', value: list } }), [true]],
];

describe('the JSON of a well-known type', () => {
  it.each(mapped)('%s is beside its @type', (name, any, value) => {
    const text = anyJsonText(any, types);
    expect(JSON.parse(text)).toEqual({ '@type': `type.googleapis.com/google.protobuf.${name}`, value });
    expect(text.startsWith('{"@type":')).toBe(true);
  });

  it('in an Any in an Any keeps both types', () => {
    const inner = anyOf(Int64ValueSchema, { value: 5n });
    expect(JSON.parse(anyJsonText(anyOf(AnySchema, inner), types))).toEqual({
      '@type': 'type.googleapis.com/google.protobuf.Any',
      value: { '@type': 'type.googleapis.com/google.protobuf.Int64Value', value: '5' },
    });
  });

  it('Empty is the @type alone, as in Java and C++', () => {
    const text = anyJsonText(anyOf(EmptySchema, {}), types);
    expect(text).toBe('{"@type":"type.googleapis.com/google.protobuf.Empty"}');
  });

  it('without a form of its own has its fields beside the @type', () => {
    expect(JSON.parse(anyJsonText(anyOf(MethodSchema, { name: 'a', requestTypeUrl: 'b' }), types))).toEqual({
      '@type': 'type.googleapis.com/google.protobuf.Method',
      name: 'a',
      requestTypeUrl: 'b',
    });
  });

  it('keeps the type URL as the caller wrote it', () => {
    const { value } = anyOf(StringValueSchema, { value: 'x' });
    const typeUrl = 'example.com/a/google.protobuf.StringValue';
    expect(anyJsonText(create(AnySchema, { typeUrl, value }), types)).toBe(`{"@type":"${typeUrl}","value":"x"}`);
  });
});

describe('what has no JSON is the caller’s mistake', () => {
  it.each<[string, Any | undefined]>([
    ['nothing', undefined],
    ['no type', create(AnySchema)],
    ['a Value without a kind', anyOf(ValueSchema, {})],
    ['a number in a Value that JSON does not have', anyOf(ValueSchema, { kind: { case: 'numberValue', value: NaN } })],
    ['a Timestamp after 9999', anyOf(TimestampSchema, { seconds: 2n ** 62n })],
    ['a FieldMask that cannot be read back', anyOf(FieldMaskSchema, { paths: ['aB'] })],
    ['text that is not UTF-8', { ...anyOf(StringValueSchema, {}), value: Uint8Array.of(10, 1, 255) }],
  ])('%s', (_what, any) => {
    expect(() => anyJsonText(any, types)).toThrow(InvalidArgument);
  });
});

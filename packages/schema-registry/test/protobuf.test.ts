import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Rejection, SchemaValue } from '@ws-gateway/core';
import { framed, JSON_LENGTH_MAX, ReaderUnderTest } from './reader-under-test.js';

interface Fixture {
  readonly schemas: readonly { readonly id: number; readonly schema: string; readonly references: [] }[];
  readonly money: string;
  readonly records: readonly { readonly name: string; readonly value: string; readonly json: unknown }[];
}

const fixtureText = (name: string): string => readFileSync(new URL(`fixtures/${name}`, import.meta.url), 'utf8');
const fixture = JSON.parse(fixtureText('protobuf-by-python.json')) as Fixture;
const { id: ORDERS, ...compiled } = fixture.schemas[0]!;
const MONEY = '/subjects/shop%2Fmoney.proto/versions/1';

let tested: ReaderUnderTest;
beforeEach(async () => {
  tested = await ReaderUnderTest.start();
});
afterEach(() => tested.stop());

function register(
  id: number,
  schema: string,
  references: readonly { name: string; subject: string; version: number }[] = [],
) {
  tested.registry.answers.set(`/schemas/ids/${id}`, { schema, schemaType: 'PROTOBUF', references });
}

async function read(value: Buffer): Promise<SchemaValue | Rejection> {
  return tested.read(value, 'protobuf');
}

/** JSON of a message of a schema that nobody else uses. */
async function readAs(proto: string, bytes: readonly number[]): Promise<string | Rejection> {
  register(99, `syntax = "proto3"; ${proto}`);
  const result = await read(Buffer.concat([framed(99, 0), Buffer.from(bytes)]));
  return result.kind === 'value' ? result.json : result;
}

const bytesOf = (name: string): Buffer =>
  Buffer.from(fixture.records.find((record) => record.name === name)!.value, 'hex');

describe.each([
  ['descriptors', compiled.schema, fixture.money],
  ['text', fixtureText('shop/order.proto'), fixtureText('shop/money.proto')],
  ['a descriptor that imports a text', compiled.schema, fixtureText('shop/money.proto')],
  ['a text that imports a descriptor', fixtureText('shop/order.proto'), fixture.money],
])('Protobuf as a foreign serializer writes it, with schemas as %s', (...[, order, money]) => {
  beforeEach(() => {
    register(ORDERS, order, compiled.references);
    tested.registry.answers.set(MONEY, { schema: money, schemaType: 'PROTOBUF' });
  });

  test.each(fixture.records.map(({ name }) => name))('becomes the JSON that Google makes of it: %s', async (name) => {
    const result = await read(bytesOf(name));
    expect(result).toMatchObject({ kind: 'value' });
    expect(JSON.parse((result as SchemaValue).json)).toEqual(fixture.records.find((one) => one.name === name)!.json);
  });
});

test('the number of a nested message may leave the entries of maps out, as producers that normalize schemas do', async () => {
  register(1, 'syntax = "proto3"; message A { map<string, int32> m = 1; message B { int32 b = 1; } }');
  expect(await read(framed(1, 4, 0, 0, 8, 7))).toEqual({ kind: 'value', json: '{"b":7}' });
  expect(await read(framed(1, 4, 0, 2, 8, 7))).toEqual({ kind: 'value', json: '{"b":7}' });
});

test('two versions of a schema in one topic are read each by its own', async () => {
  register(1, 'syntax = "proto3"; message Order { string owner = 1; }');
  register(2, 'syntax = "proto3"; message Order { string owner = 1; int64 added = 2; }');
  expect(await read(framed(1, 0, 10, 1, 0x61))).toEqual({ kind: 'value', json: '{"owner":"a"}' });
  expect(await read(framed(2, 0, 10, 1, 0x61, 16, 7))).toEqual({ kind: 'value', json: '{"owner":"a","added":"7"}' });
});

test('imports that nobody has are missed only where a type of them is used', async () => {
  const options = 'import "confluent/meta.proto"; message A { int32 a = 1 [(confluent.field_meta).doc = "{"]; }';
  expect(await readAs(options, [8, 5])).toBe('{"a":5}');
  register(98, 'syntax = "proto3"; import "acme/b.proto"; message A { acme.B b = 1; }');
  expect(await read(framed(98, 0))).toMatchObject({
    error: 'unknown_schema',
    message: expect.stringContaining('acme.B'),
  });
});

describe('what a message holds', () => {
  test.each<[string, string, number[], string]>([
    ['of a field that is there twice the last one counts', 'message A { int32 a = 1; }', [8, 1, 8, 2], '{"a":2}'],
    ['of a oneof the last one counts', 'message A { oneof o { int32 a = 1; int32 b = 2; } }', [16, 0, 8, 0], '{"a":0}'],
    [
      'parts of a message are one',
      'message A { A a = 1; int32 b = 2; int32 c = 3; }',
      [10, 2, 16, 1, 10, 2, 24, 2],
      '{"a":{"b":1,"c":2}}',
    ],
    [
      'numbers may be packed, and need not',
      'message A { repeated int32 a = 1; }',
      [8, 1, 10, 2, 2, 3, 8, 4],
      '{"a":[1,2,3,4]}',
    ],
    [
      'unknown fields are left out',
      'message A { int32 a = 1; }',
      [8, 1, 0x7a, 1, 0, 0x7b, 0x0b, 0x0c, 0x7c],
      '{"a":1}',
    ],
    ['a field of another type is unknown', 'message A { int32 a = 1; }', [10, 1, 0], '{}'],
    [
      'negative numbers have ten bytes',
      'message A { int32 a = 1; }',
      [8, ...new Array<number>(9).fill(0xff), 1],
      '{"a":-1}',
    ],
    [
      'zero is left out, but not where it was written on purpose',
      'message A { int32 a = 1; optional int32 b = 2; }',
      [8, 0, 16, 0],
      '{"b":0}',
    ],
    [
      'the last entry of a key counts',
      'message A { map<bool, int32> m = 1; }',
      [10, 4, 8, 1, 16, 1, 10, 2, 16, 5, 10, 4, 8, 1, 16, 3],
      '{"m":{"true":3,"false":5}}',
    ],
  ])('%s', async (...[, proto, bytes, json]) => {
    expect(await readAs(proto, bytes)).toBe(json);
  });

  test('groups of proto2, and a type in an Any that the schema does not know', async () => {
    register(
      97,
      'message A { optional group Inner = 1 { optional int32 n = 2; } required string s = 3 [default = "{"]; }',
    );
    expect(await read(framed(97, 0, 11, 16, 5, 12))).toEqual({ kind: 'value', json: '{"inner":{"n":5}}' });
    const any = 'import "google/protobuf/any.proto"; message A { google.protobuf.Any a = 1; }';
    expect(await readAs(any, [10, 8, 10, 3, 0x78, 0x2f, 0x79, 18, 1, 0xff])).toBe(
      '{"a":{"@type":"x/y","value":"/w=="}}',
    );
  });
});

describe('what cannot be read', () => {
  const recursive = 'message A { A a = 1; repeated A list = 2; int32 n = 3; string s = 4; }';

  test.each<[string, number[], string, string]>([
    ['a length of 2^40', [34, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40], 'bad_schema_data', 'ends too early'],
    ['a text that goes beyond its message', [10, 2, 34, 5, 0x61, 0x61, 0x61], 'bad_schema_data', 'ends too early'],
    ['a number that never ends', [24, ...new Array<number>(11).fill(0xff)], 'bad_schema_data', 'longer than 64 bits'],
    ['a number that is cut off', [24, 0xff], 'bad_schema_data', 'ends too early'],
    ['a text that is no UTF-8', [34, 1, 0xff], 'bad_schema_data', 'not UTF-8'],
    ['a field without a number', [0], 'bad_schema_data', 'no number'],
    ['a wire type that is none', [0x1f], 'bad_schema_data', 'wire type 7'],
    ['a group that ends as another', [0x2b, 0x34], 'bad_schema_data', 'field 6'],
    ['a group that does not end', [0x2b], 'bad_schema_data', 'ends too early'],
    [
      'groups that are nested 200,000 levels deep',
      new Array<number>(200_000).fill(0x2b),
      'bad_schema_data',
      'levels deep',
    ],
    [
      'messages that become very many characters',
      new Array<number>(JSON_LENGTH_MAX).fill(18).flatMap((tag) => [tag, 0]),
      'too_large',
      'characters',
    ],
  ])('%s', async (...[, bytes, error, message]) => {
    expect(await readAs(recursive, bytes)).toMatchObject({ error, message: expect.stringContaining(message) });
  });

  test('messages that are nested 200,000 levels deep', async () => {
    const parts: Buffer[] = [];
    for (let length = 0, level = 0; level < 200_000; level++) {
      const head = [10];
      let rest = length;
      for (; rest > 0x7f; rest >>>= 7) head.push((rest & 0x7f) | 0x80);
      head.push(rest);
      parts.push(Buffer.from(head));
      length += head.length;
    }
    register(96, `syntax = "proto3"; ${recursive}`);
    expect(await read(Buffer.concat([framed(96, 0), ...parts.reverse()]))).toMatchObject({
      error: 'bad_schema_data',
      message: 'schema 96: it is nested more than 100 levels deep',
    });
  });

  test.each<[string, number[]]>([
    ['no message indexes', []],
    ['a message that the schema has not', [2, 2]],
    ['a message that is in no other', [4, 0, 0]],
    ['a number below zero', [2, 1]],
    ['2^40 message indexes', [0x80, 0x80, 0x80, 0x80, 0x80, 0x40]],
    ['a thousand message indexes', [0xd0, 0x0f, 0]],
  ])('%s', async (...[, bytes]) => {
    register(95, `syntax = "proto3"; ${recursive}`);
    expect(await read(framed(95, ...bytes))).toMatchObject({ error: 'bad_schema_data' });
  });

  test.each([
    ['times', 'timestamp', 'Timestamp', 'bad_schema_data'],
    ['durations', 'duration', 'Duration', 'bad_schema_data'],
  ])('%s that are out of range', async (...[, file, name, error]) => {
    const proto = `import "google/protobuf/${file}.proto"; message A { google.protobuf.${name} a = 1; }`;
    const bytes = [8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    expect(await readAs(proto, [10, bytes.length, ...bytes])).toMatchObject({ error });
  });

  test.each([
    ['text that is no .proto', 'message {'],
    ['text with an edition', 'edition = "2023"; message A {}'],
    ['base64 that is no descriptor', 'AAAA'],
    ['a file that imports itself', 'syntax = "proto3"; import "b.proto"; message A {}'],
  ])('a schema that is %s', async (...[, schema]) => {
    register(94, schema, [{ name: 'b.proto', subject: 'b', version: 1 }]);
    tested.registry.answers.set('/subjects/b/versions/1', { schema: 'syntax = "proto3"; import "b.proto";' });
    expect(await read(framed(94, 0))).toMatchObject({
      error: 'unknown_schema',
      message: expect.stringContaining('schema 94 cannot be used'),
    });
  });
});

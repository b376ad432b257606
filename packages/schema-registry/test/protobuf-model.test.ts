import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createFileRegistry, fromBinary, toJson, create, type DescMessage } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { wellKnownFiles } from '@ws-gateway/proto-files';
import { ReaderUnderTest } from './reader-under-test.js';

interface Fixture {
  readonly schemas: readonly { readonly id: number; readonly schema: string; readonly references: [] }[];
  readonly money: string;
  readonly records: readonly { readonly name: string; readonly value: string }[];
}

const fixture = JSON.parse(
  readFileSync(new URL('fixtures/protobuf-by-python.json', import.meta.url), 'utf8'),
) as Fixture;
const { id, schema, references } = fixture.schemas[0]!;
const SEQUENCES = 2_000;
const MUTATIONS = 20_000;

let tested: ReaderUnderTest;
let model: DescMessage;
let options: Parameters<typeof toJson>[2];
beforeAll(async () => {
  tested = await ReaderUnderTest.start();
  const { answers } = tested.registry;
  answers.set(`/schemas/ids/${id}`, { schema, schemaType: 'PROTOBUF', references });
  answers.set('/subjects/shop%2Fmoney.proto/versions/1', { schema: fixture.money, schemaType: 'PROTOBUF' });
  const file = [fixture.money, schema].map((text) =>
    fromBinary(FileDescriptorProtoSchema, Buffer.from(text, 'base64')),
  );
  const known = wellKnownFiles.map(({ proto }) => proto);
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...known, ...file] }));
  model = registry.getMessage('shop.Order')!;
  options = { registry, useProtoFieldName: true };
});
afterAll(() => tested.stop());

/** The other implementation writes floats with the digits of a double. */
function rounded(name: string, value: unknown): unknown {
  return name === 'ratio' && typeof value === 'number' ? Math.fround(value) : value;
}

/** A generator of numbers below `limit` that a seed decides (mulberry32). */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** Bytes of a message of which some were changed, left out, doubled or put elsewhere. */
function mutated(bytes: Buffer, below: (limit: number) => number): Buffer {
  const list = [...bytes];
  for (let times = 1 + below(3); times > 0; times--) {
    const [at, length] = [below(list.length), 1 + below(8)];
    const part = list.slice(at, at + length);
    switch (below(4)) {
      case 0:
        list[at] = below(256);
        break;
      case 1:
        list.splice(at, length);
        break;
      case 2:
        list.splice(below(list.length), 0, ...part);
        break;
      default:
        list.push(...part);
    }
    if (list.length === 0) list.push(0);
  }
  return Buffer.from(list);
}

/** The fields of a message, each with its tag. */
function fieldsOf(message: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [number, wireType] = reader.tag();
    reader.skip(wireType, number);
    fields.push(message.subarray(start, reader.pos));
  }
  return fields;
}

const order = Buffer.from(fixture.records.find(({ name }) => name === 'order')!.value, 'hex');
const [head, message] = [order.subarray(0, 6), order.subarray(6)];

test('fields in any order and any number are read as another implementation reads them', async () => {
  const fields = fieldsOf(message);
  // The same without some of its fields, so that parts of messages differ that come together.
  const street = Buffer.from([66, 1, 0x61]);
  const money = Buffer.from([34, 2, 16, 3]);
  const entry = Buffer.from([50, 5, 10, 1, 0x78, 16, 7]);
  const pickup = Buffer.from([74, 0]);
  const all = [...fields, street, money, entry, pickup];
  await tested.read(order, 'protobuf');
  for (let seed = 0; seed < SEQUENCES; seed++) {
    const below = random(seed);
    const bytes = Buffer.concat(Array.from({ length: below(40) }, () => all[below(all.length)]!));
    const result = await tested.read(Buffer.concat([head, bytes]), 'protobuf');
    const json = result.kind === 'value' ? (JSON.parse(result.json, rounded) as unknown) : result;
    const expected = toJson(model, fromBinary(model, bytes), options);
    expect({ seed, json }).toEqual({ seed, json: JSON.parse(JSON.stringify(expected), rounded) as unknown });
  }
});

test('whatever the bytes are, they become JSON or are refused', async () => {
  await tested.read(order, 'protobuf');
  let refused = 0;
  for (let seed = 0; seed < MUTATIONS; seed++) {
    const result = await tested.read(Buffer.concat([head, mutated(message, random(seed))]), 'protobuf');
    if (result.kind === 'value') JSON.parse(result.json);
    else {
      expect(result).toMatchObject({ kind: 'dead_letter', error: 'bad_schema_data' });
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(MUTATIONS / 10);
  expect(refused).toBeLessThan(MUTATIONS);
});

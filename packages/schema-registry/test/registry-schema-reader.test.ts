import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Rejection, SchemaFormat, SchemaValue } from '@ws-gateway/core';
import { CertificateAuthority, TcpProxy, waitFor, type RegistryServer } from '@ws-gateway/testkit';
import { framed, ReaderUnderTest } from './reader-under-test.js';

interface Fixture {
  readonly records: readonly { readonly name: string; readonly schema: string; readonly value: string }[];
}

const fixture = JSON.parse(readFileSync(new URL('fixtures/avro-by-python.json', import.meta.url), 'utf8')) as Fixture;

let tested: ReaderUnderTest;
let registry: RegistryServer;

beforeEach(async () => {
  tested = await ReaderUnderTest.start();
  ({ registry } = tested);
  for (const [index, { schema }] of fixture.records.entries()) {
    registry.answers.set(`/schemas/ids/${index + 1}`, { schema });
  }
});
afterEach(() => tested.stop());

async function read(value: Buffer, format: SchemaFormat = 'avro'): Promise<SchemaValue | Rejection> {
  return tested.read(value, format);
}

async function readAvro(schema: unknown, bytes: readonly number[]): Promise<SchemaValue | Rejection> {
  registry.answers.set('/schemas/ids/99', { schema: JSON.stringify(schema) });
  return read(Buffer.concat([framed(99), Buffer.from(bytes)]));
}

describe('Avro as a foreign serializer writes it', () => {
  const valueOf = (name: string): Buffer => Buffer.from(fixture.records.find((r) => r.name === name)!.value, 'hex');

  test('keeps every digit, and writes logical types as text', async () => {
    const result = await read(valueOf('order'));
    const common =
      '"owner":"u1","total":"-123456789012345.67","at":"2026-05-01T10:00:00.123456Z","day":"2026-05-01",' +
      '"clock":"10:00:00.123","state":"PAID"';
    const rest =
      '"raw":"AP8=","hash":"YWJjZA==","ratio":1.5e-7,"part":0.1,"flag":true,"tags":["a","b"],' +
      '"counts":{"x":9007199254740993},"address":{"city":"Köln"}';
    const parent = `{"id":-9223372036854775808,${common},"note":"hi \\"you\\" ü",${rest},"parent":null}`;
    const order = `{"id":9223372036854775807,${common},"note":null,${rest},"parent":${parent}}`;
    expect(result).toEqual({ kind: 'value', json: order });
  });

  test('of two versions of a schema in one topic is read each by its own', async () => {
    expect(await read(valueOf('order2'))).toEqual({ kind: 'value', json: '{"id":1,"owner":"u1","added":7}' });
    expect(await read(valueOf('key'))).toEqual({ kind: 'value', json: '"u1"' });
  });

  test('has types and logical types named like members of every object', async () => {
    const inner = { type: 'record', name: 'constructor', fields: [{ name: 'n', type: 'int' }] };
    const time = { type: 'long', logicalType: 'timestamp-toString' };
    const fields = ['a', 'b'].map((name, at) => ({ name, type: at === 0 ? inner : 'constructor' }));
    const schema = { type: 'record', name: 'outer', fields: [...fields, { name: 'at', type: time }] };
    expect(await readAvro(schema, [2, 4, 6])).toEqual({ kind: 'value', json: '{"a":{"n":1},"b":{"n":2},"at":3}' });
  });

  test('asks for each schema once', async () => {
    for (let n = 0; n < 3; n++) await read(valueOf('order2'));
    expect(registry.asked).toEqual(['/schemas/ids/2']);
  });
});

describe('what cannot be read', () => {
  test.each([
    ['no frame', Buffer.from('{"a":1}'), 'bad_magic', 'byte 0'],
    ['a frame that is cut off', Buffer.from([0, 0, 0]), 'bad_magic', 'byte 0'],
    ['a schema that is not there', framed(77, 1), 'unknown_schema', 'no schema 77'],
    ['a value that ends too early', framed(2, 2, 4), 'bad_schema_data', 'schema 2: it ends too early'],
    ['a value that goes on', framed(3, 2, 0x61, 0), 'bad_schema_data', 'schema 3: bytes are left over'],
    ['a text that is no UTF-8', framed(3, 2, 0xff), 'bad_schema_data', 'schema 3: a text is not UTF-8'],
  ])('%s', async (...[, value, error, message]) => {
    expect(await read(value)).toMatchObject({ error, message: expect.stringContaining(message) });
  });

  test.each([
    ['a number that is none', 'double', [0, 0, 0, 0, 0, 0, 0xf8, 0x7f], 'bad_schema_data'],
    ['a number that is infinite', 'float', [0, 0, 0x80, 0x7f], 'bad_schema_data'],
    ['a list of 2^40 items', { type: 'array', items: 'null' }, [0x80, 0x80, 0x80, 0x80, 0x80, 0x40], 'bad_schema_data'],
    ['a list of 2^30 items of no bytes', { type: 'array', items: 'null' }, [0x80, 0x80, 0x80, 0x80, 8], 'too_large'],
    ['a union branch that is not there', ['null', 'int'], [4], 'bad_schema_data'],
    ['a symbol that is not there', { type: 'enum', name: 'E', symbols: ['A'] }, [2], 'bad_schema_data'],
    ['a number of more than 64 bits', 'long', new Array(11).fill(0xff) as number[], 'bad_schema_data'],
  ])('%s', async (...[, schema, bytes, error]) => {
    expect(await readAvro(schema, bytes)).toMatchObject({ error });
  });

  test('a value that is nested 200,000 levels deep', async () => {
    const node = { type: 'record', name: 'Node', fields: [{ name: 'next', type: ['null', 'Node'] }] };
    const result = await readAvro(node, [...new Array<number>(200_000).fill(2), 0]);
    expect(result).toMatchObject({ error: 'bad_schema_data', message: expect.stringContaining('levels deep') });
  });

  test('a schema of another kind, and one that makes no sense', async () => {
    registry.answers.set('/schemas/ids/50', { schema: '{}', schemaType: 'JSON' });
    expect(await read(framed(50, 0x31))).toMatchObject({
      error: 'unknown_schema',
      message: 'schema 50 is of type JSON, not AVRO',
    });
    expect(await readAvro('Nothing', [1])).toMatchObject({ error: 'unknown_schema' });
  });
});

test('references are followed, and what is referred to is compiled first', async () => {
  const city = { type: 'record', name: 'City', namespace: 'geo', fields: [{ name: 'name', type: 'string' }] };
  const address = { type: 'record', name: 'Address', namespace: 'shop', fields: [{ name: 'city', type: 'geo.City' }] };
  registry.answers.set('/schemas/ids/60', {
    schema: JSON.stringify({ type: 'record', name: 'Order', fields: [{ name: 'to', type: 'shop.Address' }] }),
    references: [{ name: 'shop.Address', subject: 'address/value', version: 2 }],
  });
  registry.answers.set('/subjects/address%2Fvalue/versions/2', {
    schema: JSON.stringify(address),
    references: [{ name: 'geo.City', subject: 'city', version: 1 }],
  });
  registry.answers.set('/subjects/city/versions/1', { schema: JSON.stringify(city) });
  expect(await read(framed(60, 4, 0x61, 0x62))).toEqual({ kind: 'value', json: '{"to":{"city":{"name":"ab"}}}' });
});

test('values of a JSON schema are passed on as they are', async () => {
  registry.answers.set('/schemas/ids/70', { schema: '{"type":"object"}', schemaType: 'JSON' });
  const value = Buffer.concat([framed(70), Buffer.from('{"n": 1.50}')]);
  expect(await read(value, 'json-schema')).toEqual({ kind: 'value', json: '{"n": 1.50}' });
  expect(await read(Buffer.concat([framed(70), Buffer.from('{')]), 'json-schema')).toMatchObject({
    error: 'bad_schema_data',
  });
});

test('a registry that fails leaves records pending, is told once, and is asked until it answers', async () => {
  registry.failWith = 503;
  const value = framed(2, 2, 4, 0x75, 0x31, 14);
  const { reader } = tested;
  const pending = reader.read('avro', value);
  expect(pending.kind).toBe('pending');
  while (registry.asked.length < 3) await new Promise((resolve) => setImmediate(resolve));
  expect([reader.healthy, reader.read('avro', value).kind]).toEqual([false, 'pending']);
  registry.failWith = 0;
  expect(await read(value)).toMatchObject({ kind: 'value' });
  expect([reader.healthy, tested.errors]).toEqual([true, ['schema registry not usable, records that need it wait']]);
});

test.each([
  [{ username: 'ann', password: 'secret' }, `Basic ${Buffer.from('ann:secret').toString('base64')}`],
  [{ username: 'ann', password: 'secret', token: 't' }, 'Bearer t'],
])('%j is told to the registry', async (login, expected) => {
  tested.open(login);
  await read(framed(3, 2, 0x61));
  expect(registry.authorizations).toEqual([expected]);
});

// Fails when undici copies the options once: after a renewal the registry would be refused until a restart.
test('each connection to a registry behind TLS is made with the certificates of its time', async () => {
  const authority = new CertificateAuthority();
  const target = { port: Number(new URL(registry.url).port) };
  const proxy = await TcpProxy.start({ ...target, tls: { ...authority.issue('registry') } });
  let ca = new CertificateAuthority().cert;
  const tls = Object.defineProperty({}, 'ca', { enumerable: true, get: () => ca });
  tested.open({ url: `https://127.0.0.1:${proxy.port}`, tls });
  try {
    const value = read(framed(3, 2, 0x61));
    await waitFor(() => tested.errors.length === 1, { what: 'the registry to be refused' });
    ca = authority.cert;
    expect(await value).toMatchObject({ kind: 'value' });
  } finally {
    await proxy.stop();
  }
});

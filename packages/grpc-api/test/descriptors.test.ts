import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { create, createFileRegistry, fromBinary, fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { AnySchema, FileDescriptorSetSchema, type Any } from '@bufbuild/protobuf/wkt';
import { anyJsonText } from '../src/any-json.js';
import { loadDescriptors } from '../src/descriptors.js';
import { GrpcApiError } from '../src/index.js';

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** Made by: protoc --include_imports -o shop.binpb shop/order.proto shop/legacy.proto */
const SET = fixture('shop.binpb');

const order: JsonObject = {
  orderId: 'o-1',
  parcels: 2,
  floor: 0,
  price: { currency: 'EUR', units: '9007199254740993', nanoPart: -5 },
  items: [{ sku: 'a', count: 1, sizes: [1, -2], gift: { sku: 'b' } }],
  feesByKind: { toll: { units: '1' } },
  carriers: { '-3': 'CARRIER_SHIP', '4': 'CARRIER_UNSPECIFIED' },
  carrier: 'CARRIER_BIKE',
  pickupShop: { name: 'corner' },
  note: '',
  signature: 'AP8=',
  weightMg: '18446744073709551615',
  route: [0.5, 'NaN'],
  shippedAt: '2026-01-01T00:00:00.250Z',
  takes: '3.000000001s',
  nick: 'nic',
  extra: { deep: [{ a: null }] },
  attachment: { '@type': 'type.googleapis.com/shop.Money', units: '3' },
  express: true,
  free: [1, 'x'],
};
const note: JsonObject = {
  text: '',
  stamp: '7',
  mood: 'GLAD',
  marks: [1, 2],
  detail: { author: 'ann' },
  '[shop.legacy.colour]': 'red',
};

let directory: string;
/** Encodes with the types that protoc compiled. */
let encode: (typeName: string, json: JsonObject) => Any;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'descriptors-'));
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readFile(SET)));
  encode = (typeName, json) => {
    const schema = registry.getMessage(typeName);
    if (schema === undefined) throw new Error(typeName);
    const value = toBinary(schema, fromJson(schema, json, { registry }));
    return create(AnySchema, { typeUrl: `type.googleapis.com/${typeName}`, value });
  };
});

afterAll(() => rm(directory, { recursive: true }));

async function given(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content);
  return path;
}

describe.each([
  ['a FileDescriptorSet', [SET]],
  ['.proto files', [fixture('shop/order.proto'), fixture('shop/legacy.proto')]],
  ['both', [SET, SET]],
])('types from %s', (_kind, files) => {
  it('have the JSON of their own descriptors', async () => {
    const { anyTypes } = await loadDescriptors(files);
    const text = anyJsonText(encode('shop.OrderShipped', order), anyTypes);
    expect(JSON.parse(text)).toEqual({ '@type': 'type.googleapis.com/shop.OrderShipped', ...order });
  });

  it('have it also for proto2 with groups, required fields, aliases and extensions', async () => {
    const { anyTypes } = await loadDescriptors(files);
    const text = anyJsonText(encode('shop.legacy.Note', note), anyTypes);
    expect(JSON.parse(text)).toEqual({ '@type': 'type.googleapis.com/shop.legacy.Note', ...note });
  });

  it('leave well-known types as they are', async () => {
    const { anyTypes } = await loadDescriptors(files);
    expect(anyTypes.getMessage('google.protobuf.StringValue')).toBeDefined();
    expect(anyTypes.getMessage('notificationspb.BroadcastRequest')).toBeUndefined();
  });
});

describe('a descriptor file', () => {
  it('may hold the notification service itself, as the callers of a whole company do', async () => {
    const path = fileURLToPath(new URL('../proto/notificationspb/message.proto', import.meta.url));
    const { anyTypes, services } = await loadDescriptors([path]);
    expect(anyTypes.getMessage('notificationspb.BroadcastRequest')).toBeDefined();
    expect(services.getService('notificationspb.NotificationService')?.methods).toHaveLength(3);
  });

  it('may come twice', async () => {
    const { anyTypes } = await loadDescriptors([SET, SET]);
    expect(anyTypes.getMessage('shop.Money')).toBeDefined();
  });

  it.each<[string, string, string | Uint8Array, string]>([
    ['is no descriptor set', 'noise.binpb', Uint8Array.of(1, 2, 3), 'noise.binpb: '],
    ['is empty', 'empty.binpb', '', 'holds no descriptors'],
    ['has a mistake in it', 'bad.proto', 'syntax = "proto3"; message A { string x; }', "bad.proto: illegal token ';'"],
    ['names a type that is not there', 'ref.proto', 'syntax = "proto3"; message A { Nowhere x = 1; }', 'Nowhere'],
    ['imports what is not there', 'imp.proto', 'syntax = "proto3"; import "no/where.proto";', 'no/where.proto'],
    ['imports itself', 'self.proto', 'syntax = "proto3"; import "self.proto";', 'self.proto -> self.proto'],
    ['has an edition', 'ed.proto', 'edition = "2023"; message A { string x = 1; }', 'give a FileDescriptorSet'],
    ['defines a known name anew', 'money.proto', 'syntax = "proto3"; package shop; message Money {}', 'shop.Money'],
  ])('that %s is refused by name', async (_what, name, content, details) => {
    const path = await given(name, content);
    const error = await loadDescriptors([SET, path]).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GrpcApiError);
    expect(error).toMatchObject({ code: 'bad_descriptor', message: expect.stringContaining(details) });
  });

  it('that is not there is refused by name', async () => {
    const error = await loadDescriptors([join(directory, 'gone.binpb')]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'bad_descriptor', message: expect.stringContaining('gone.binpb') });
  });

  it('without its imports is refused', async () => {
    const { file } = fromBinary(FileDescriptorSetSchema, await readFile(SET));
    const alone = file.filter(({ name }) => name === 'shop/order.proto');
    const bytes = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: alone }));
    const path = await given('alone.binpb', bytes);
    await expect(loadDescriptors([path])).rejects.toMatchObject({ code: 'bad_descriptor' });
  });
});

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { status, type ClientDuplexStream } from '@grpc/grpc-js';
import { create, createFileRegistry, fromBinary, type FileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { TestApi } from './support/api.js';
import { type Answer } from './support/clients.js';

const SHOP = fileURLToPath(new URL('./fixtures/shop.binpb', import.meta.url));

let api: TestApi;

afterEach(() => api.close());

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  let stream: ClientDuplexStream<object, Answer>;

  beforeEach(async () => {
    api = await TestApi.start({ descriptorFiles: [SHOP] });
    stream = api.client(`grpc.reflection.${version}.ServerReflection`).bidiStream('ServerReflectionInfo');
    stream.on('error', () => stream.destroy());
  });

  async function ask(request: object): Promise<Answer> {
    stream.write(request);
    const [answer] = (await once(stream, 'data')) as [Answer];
    return answer;
  }

  async function files(request: object): Promise<FileRegistry> {
    const { fileDescriptorResponse } = await ask(request);
    const { fileDescriptorProto } = fileDescriptorResponse as { fileDescriptorProto: Uint8Array[] };
    const decoded = fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const byName = new Map(decoded.map((file) => [file.name, file]));
    const [first] = decoded;
    if (first === undefined) throw new Error('no file');
    return createFileRegistry(first, (name) => byName.get(name));
  }

  it('lists what is served', async () => {
    const answer = await ask({ host: 'h', listServices: '*' });
    const service = [
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'notificationspb.NotificationService',
    ].map((name) => ({ name }));
    expect(answer).toMatchObject({ validHost: 'h', originalRequest: { host: 'h' }, listServicesResponse: { service } });
  });

  it.each([
    'notificationspb.NotificationService',
    'notificationspb.NotificationService.NotifyRoom',
    'notificationspb.BroadcastRequest',
    'notificationspb.BroadcastRequest.entity_id',
    'notificationspb.Type',
    'notificationspb.TYPE_SUCCESS',
  ])('finds the file of %s and all it needs', async (symbol) => {
    const registry = await files({ fileContainingSymbol: symbol });
    const service = registry.getService('notificationspb.NotificationService');
    expect(service?.methods.map(({ name }) => name)).toEqual(['Broadcast', 'NotifyRoom', 'PrivateNotify']);
    const [, entity, message] = registry.getMessage('notificationspb.BroadcastRequest')?.fields ?? [];
    expect(entity).toMatchObject({ name: 'entity_id', jsonName: 'entityId', number: 2 });
    expect(message?.message?.typeName).toBe('google.protobuf.Any');
  });

  it('finds configured types and well-known types, which a caller needs to write an Any', async () => {
    const shop = await files({ fileContainingSymbol: 'shop.OrderShipped' });
    expect(shop.getMessage('shop.Money')?.fields).toHaveLength(3);
    const known = await files({ fileContainingSymbol: 'google.protobuf.StringValue' });
    expect(known.getMessage('google.protobuf.Int64Value')).toBeDefined();
  });

  it('finds a file by its name and an extension by its number', async () => {
    const file = await files({ fileByFilename: 'grpc/health/v1/health.proto' });
    expect(file.getService('grpc.health.v1.Health')).toBeDefined();
    const extension = { containingType: 'shop.legacy.Note', extensionNumber: 100 };
    const extending = await files({ fileContainingExtension: extension });
    expect(extending.getExtension('shop.legacy.colour')?.number).toBe(100);
    expect(await ask({ allExtensionNumbersOfType: 'shop.legacy.Note' })).toMatchObject({
      allExtensionNumbersResponse: { baseTypeName: 'shop.legacy.Note', extensionNumber: [100] },
    });
    expect(await ask({ allExtensionNumbersOfType: 'shop.Money' })).toMatchObject({
      allExtensionNumbersResponse: { baseTypeName: 'shop.Money', extensionNumber: [] },
    });
  });

  it.each([
    [{ fileContainingSymbol: 'shop.Nothing' }, status.NOT_FOUND],
    [{ fileContainingSymbol: '__proto__' }, status.NOT_FOUND],
    [{ fileByFilename: 'nothing.proto' }, status.NOT_FOUND],
    [{ fileContainingExtension: { containingType: 'shop.Money', extensionNumber: 7 } }, status.NOT_FOUND],
    [{ allExtensionNumbersOfType: 'shop.Nothing' }, status.NOT_FOUND],
    [{}, status.INVALID_ARGUMENT],
  ])('answers %j with an error, and goes on', async (request, errorCode) => {
    expect(await ask(request)).toMatchObject({ errorResponse: { errorCode } });
    expect(await ask({ listServices: '' })).toHaveProperty('listServicesResponse');
  });

  it('ends its stream when the client has asked all', async () => {
    stream.end();
    stream.resume();
    const [result] = (await once(stream, 'status')) as [{ code: number }];
    expect(result.code).toBe(status.OK);
  });
});

it('gives descriptors that make a set which any tool can read', async () => {
  api = await TestApi.start();
  const stream = api.client('grpc.reflection.v1.ServerReflection').bidiStream('ServerReflectionInfo');
  stream.write({ fileContainingSymbol: 'notificationspb.NotificationService' });
  const [answer] = (await once(stream, 'data')) as [{ fileDescriptorResponse: { fileDescriptorProto: Uint8Array[] } }];
  const file = answer.fileDescriptorResponse.fileDescriptorProto.map((b) => fromBinary(FileDescriptorProtoSchema, b));
  expect(file.map(({ name }) => name)).toEqual(['notificationspb/message.proto', 'google/protobuf/any.proto']);
  expect(createFileRegistry(create(FileDescriptorSetSchema, { file: file.reverse() }))).toBeDefined();
  stream.cancel();
  stream.on('error', () => stream.destroy());
});

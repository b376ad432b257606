import type { ServiceDefinition } from '@grpc/grpc-js';
import {
  create,
  fromBinary,
  toBinary,
  type DescMessage,
  type FileRegistry,
  type Message,
  type MessageInitShape,
} from '@bufbuild/protobuf';

/**
 * Makes a service definition for grpc-js. Requests arrive as messages, with the field names of proto3 JSON
 * (`entityId`); responses may be plain objects of that shape.
 */
export function serviceDefinition(registry: FileRegistry, typeName: string): ServiceDefinition {
  const service = registry.getService(typeName);
  if (service === undefined) throw new Error(`no descriptor of ${typeName}`);
  return Object.fromEntries(
    service.methods.map(({ name, methodKind, input, output }) => [
      name,
      {
        path: `/${typeName}/${name}`,
        requestStream: methodKind === 'client_streaming' || methodKind === 'bidi_streaming',
        responseStream: methodKind === 'server_streaming' || methodKind === 'bidi_streaming',
        requestSerialize: serializer(input),
        requestDeserialize: deserializer(input),
        responseSerialize: serializer(output),
        responseDeserialize: deserializer(output),
      },
    ]),
  );
}

function serializer(schema: DescMessage): (value: MessageInitShape<DescMessage>) => Buffer {
  return (value) => {
    const { buffer, byteOffset, byteLength } = toBinary(schema, create(schema, value));
    return Buffer.from(buffer, byteOffset, byteLength);
  };
}

function deserializer(schema: DescMessage): (bytes: Uint8Array) => Message {
  return (bytes) => fromBinary(schema, bytes);
}

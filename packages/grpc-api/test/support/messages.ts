import { create, toBinary, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { AnySchema, StringValueSchema, type Any } from '@bufbuild/protobuf/wkt';

export function anyOf<Schema extends DescMessage>(schema: Schema, init: MessageInitShape<Schema>): Any {
  const value = toBinary(schema, create(schema, init));
  return create(AnySchema, { typeUrl: `type.googleapis.com/${schema.typeName}`, value });
}

/** A message as the client sends it. */
export const hello = anyOf(StringValueSchema, { value: 'hello' });
export const helloJson = '{"@type":"type.googleapis.com/google.protobuf.StringValue","value":"hello"}';

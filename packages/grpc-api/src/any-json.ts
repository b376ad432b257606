import { toJson, type JsonObject, type Registry } from '@bufbuild/protobuf';
import { AnySchema, type Any } from '@bufbuild/protobuf/wkt';
import { InvalidArgument } from './call-status.js';

/**
 * Makes the payload of a frame: the Any itself as proto3 JSON, which is `{"@type":"type.googleapis.com/…","value":"…"}`
 * for a type with a JSON form of its own and `{"@type":…, <its fields>}` for others. It is not the bare inner message,
 * because `message` is an Any: what a caller writes as JSON (grpcurl) then arrives as it was written, and the client
 * can tell types apart. Throws InvalidArgument.
 */
export function anyJsonText(any: Any | undefined, types: Registry): string {
  if (any === undefined) throw new InvalidArgument('message is missing');
  const name = any.typeUrl.slice(any.typeUrl.lastIndexOf('/') + 1);
  if (name === '') throw new InvalidArgument('message has no type');
  if (types.getMessage(name) === undefined) throw new InvalidArgument(`message has the unknown type ${name}`);
  try {
    const { '@type': type, ...members } = toJson(AnySchema, any, { registry: types }) as JsonObject;
    return JSON.stringify({ '@type': type, ...members });
  } catch (error) {
    throw new InvalidArgument(`message is no usable ${name}: ${reason(error)}`, { cause: error });
  }
}

/**
 * Names the reason. Whatever was thrown is the fault of the caller's bytes, also the full stack of an Any in an Any in
 * an Any.
 */
function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

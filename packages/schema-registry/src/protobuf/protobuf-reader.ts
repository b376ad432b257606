import { create, createFileRegistry, fromBinary, type DescFile, type DescMessage } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import { readProtoFiles, wellKnownFiles, type ProtoSource } from '@ws-gateway/proto-files';
import type { RegisteredSchema } from '../registry-client.js';
import { SchemaDataError, type ValueReader } from '../value-reader.js';
import { MessageTypes } from './message-types.js';
import type { MessageJson } from './message-json.js';
import { JsonBudget, WireInput } from './wire-input.js';

/** No other file can have this name: imports do not begin with a slash. */
const OWN_FILE = '/schema.proto';
/** A descriptor in base64, not the text of a .proto file, which has at least a space or a semicolon. */
const BASE64 = /^[A-Za-z0-9+/]+={0,2}\s*$/;
const MESSAGE_DEPTH_MAX = 100;

/** Reads Protobuf by the schema it was written with. Throws when the schema itself cannot be used. */
export function protobufReader(schema: RegisteredSchema): ValueReader {
  const { file, types } = compile(schema);
  const byIndexes = new Map<string, MessageJson>();
  return (data, lengthMax) => {
    const input = new WireInput(data, new JsonBudget(lengthMax));
    const indexes = messageIndexes(input);
    const name = indexes.join();
    let message = byIndexes.get(name);
    if (message === undefined) byIndexes.set(name, (message = types.of(messageAt(file, indexes))));
    return message.json(input, input.at, data.length);
  };
}

function compile({ schema, references }: RegisteredSchema): { file: DescFile; types: MessageTypes } {
  const sources = new Map<string, string>(references.map((reference) => [reference.name, reference.schema]));
  sources.set(OWN_FILE, schema);
  const files = readProtoFiles([OWN_FILE], (name) => sourceOf(name, sources.get(name)));
  const known = [...wellKnownFiles.map(({ proto }) => proto), ...files];
  const names = new Set(known.map(({ name }) => name));
  // Files that are not there were imported for what is of no account here, such as options: a type would be missed.
  for (const file of files) file.dependency = file.dependency.filter((name) => names.has(name));
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: known }));
  return { file: registry.getFile(OWN_FILE)!, types: new MessageTypes(registry) };
}

function sourceOf(name: string, schema: string | undefined): ProtoSource | null {
  if (schema === undefined) return null;
  if (!BASE64.test(schema)) return schema;
  const descriptor: FileDescriptorProto = fromBinary(FileDescriptorProtoSchema, Buffer.from(schema, 'base64'));
  // References are imported by the names that the registry has for them.
  descriptor.name = name;
  return descriptor;
}

/** What tells the message among those of the file: its number, and that of each message within the one before. */
function messageIndexes(input: WireInput): number[] {
  const count = index(input);
  // A single byte 0 stands for the first message, which nearly all are.
  if (count === 0) return [0];
  if (count < 0 || count > MESSAGE_DEPTH_MAX) throw new SchemaDataError(`it has ${count} message indexes`);
  return Array.from({ length: count }, () => index(input));
}

/** A zig-zag number. */
function index(input: WireInput): number {
  input.varint();
  if (input.high !== 0) throw new SchemaDataError('a message index is longer than 32 bits');
  return (input.low >>> 1) ^ -(input.low & 1);
}

/** protoc counts the entries of maps among nested messages, and so do producers, but for those that normalize schemas. */
function messageAt(file: DescFile, indexes: readonly number[]): DescMessage {
  let found: DescMessage | undefined;
  for (const at of indexes) {
    const messages: readonly DescMessage[] = found?.nestedMessages ?? file.messages;
    const proto = (found?.proto.nestedType ?? file.proto.messageType)[at];
    // No record is the entry of a map, so one that seems to be has a number that does not count them.
    const isEntry = proto?.options?.mapEntry === true;
    found = isEntry ? messages[at] : messages.find((message) => message.proto === proto);
    if (found === undefined) throw new SchemaDataError(`the schema has no message ${indexes.join('.')}`);
  }
  return found!;
}

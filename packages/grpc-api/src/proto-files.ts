import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DescMessage } from '@bufbuild/protobuf';
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import { fileDescriptorOf, type ProtoFile } from './proto-descriptors.js';
import { wellKnownFileNames, wellKnownFiles } from './well-known-types.js';

/**
 * Reads .proto files and all they import; the descriptors come with imports before importers. It looks imports up in
 * `directory` only; the well-known `google/protobuf/…` are built in and are not part of the result. It throws what the
 * parser or the file system throws. It refuses files with an `edition`, because the parser does not keep their features
 * exactly.
 */
export async function readProtoFiles(directory: string, names: readonly string[]): Promise<FileDescriptorProto[]> {
  const root = new protobuf.Root();
  addWellKnownTypes(root);
  const files = new Map<string, ProtoFile>();
  for (const name of names) await addFile(name, { directory, root, files }, []);
  root.resolveAll();
  return [...files.values()].map((file) => fileDescriptorOf(file, root));
}

/** Lists what a file imports, apart from what is built in. */
export function importsOf(text: string, name: string): readonly string[] {
  return parse(text, name, new protobuf.Root()).dependencies.filter((each) => !wellKnownFileNames.has(each));
}

interface Reading {
  readonly directory: string;
  readonly root: protobuf.Root;
  readonly files: Map<string, ProtoFile>;
}

async function addFile(name: string, reading: Reading, importers: readonly string[]): Promise<void> {
  const { directory, root, files } = reading;
  if (files.has(name) || wellKnownFileNames.has(name)) return;
  if (importers.includes(name)) throw new Error(`${name} imports itself: ${[...importers, name].join(' -> ')}`);
  const text = await readFile(join(directory, name), 'utf8');
  const syntax = syntaxOf(text, name);
  const { packageName, dependencies } = parse(text, name, root);
  for (const dependency of dependencies) await addFile(dependency, reading, [...importers, name]);
  files.set(name, { name, syntax, packageName, dependencies });
}

function parse(text: string, name: string, root: protobuf.Root): Pick<ProtoFile, 'packageName' | 'dependencies'> {
  try {
    // The parser notes this name with what it finds, and forgets it after each file.
    Object.assign(protobuf.parse, { filename: name });
    const {
      package: packageName = '',
      imports = [],
      weakImports = [],
    } = protobuf.parse(text, root, { keepCase: true });
    return { packageName, dependencies: [...imports, ...weakImports] };
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** Reads the syntax, which is the first statement of a file; a file without it is proto2. */
function syntaxOf(text: string, name: string): 'proto2' | 'proto3' {
  const { next } = protobuf.tokenize(text, false);
  const keyword = next();
  if (keyword === 'edition') throw new Error(`${name}: for an edition give a FileDescriptorSet instead of the .proto`);
  if (keyword !== 'syntax') return 'proto2';
  const [, , value] = [next(), next(), next()];
  return value === 'proto3' ? 'proto3' : 'proto2';
}

/**
 * Adds the names only: the parser resolves references with them, while the descriptors are those of @bufbuild/protobuf.
 */
function addWellKnownTypes(root: protobuf.Root): void {
  const namespace = root.define('google.protobuf');
  for (const { proto, messages, enums } of wellKnownFiles) {
    const stubs = [...messages.map(messageStub), ...enums.map(({ name }) => new protobuf.Enum(name, {}))];
    for (const stub of stubs) {
      stub.filename = proto.name;
      namespace.add(stub);
    }
  }
}

function messageStub({ name }: DescMessage): protobuf.Type {
  return new protobuf.Type(name);
}

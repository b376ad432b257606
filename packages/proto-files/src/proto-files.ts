import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import { fileDescriptorOf, type ProtoFile } from './file-descriptor.js';
import { nestedOrder } from './nested-order.js';
import { addStubs } from './stubs.js';
import { wellKnownFileNames, wellKnownFiles } from './well-known-types.js';

/** A file: its text, or its descriptor where somebody has compiled it already. */
export type ProtoSource = string | FileDescriptorProto;

/**
 * Reads .proto files and all they import; the descriptors come with imports before importers. `sourceOf` finds a file by
 * the name under which it is imported; null: there is no such file, which is well as long as no type of it is used. The
 * well-known `google/protobuf/…` are built in and are not part of the result. It throws what the parser or `sourceOf`
 * throws. It refuses texts with an `edition`, because the parser does not keep their features exactly.
 */
export function readProtoFiles(
  names: readonly string[],
  sourceOf: (name: string) => ProtoSource | null,
): FileDescriptorProto[] {
  const root = new protobuf.Root();
  for (const { proto } of wellKnownFiles) addStubs(root, proto);
  const files = new Map<string, FoundFile>();
  for (const name of names) addFile(name, { sourceOf, root, files }, []);
  root.resolveAll();
  return [...files.values()].map((file) => ('descriptor' in file ? file.descriptor : fileDescriptorOf(file, root)));
}

/** Lists what a file imports, apart from what is built in. */
export function importsOf(text: string, name: string): readonly string[] {
  return parse(text, name, new protobuf.Root()).dependencies.filter((each) => !wellKnownFileNames.has(each));
}

type FoundFile = ProtoFile | { readonly descriptor: FileDescriptorProto };

interface Reading {
  readonly sourceOf: (name: string) => ProtoSource | null;
  readonly root: protobuf.Root;
  readonly files: Map<string, FoundFile>;
}

function addFile(name: string, reading: Reading, importers: readonly string[]): void {
  const { sourceOf, root, files } = reading;
  if (files.has(name) || wellKnownFileNames.has(name)) return;
  if (importers.includes(name)) throw new Error(`${name} imports itself: ${[...importers, name].join(' -> ')}`);
  const source = sourceOf(name);
  if (source === null) return;
  const file = typeof source === 'string' ? readText(source, name, root) : readDescriptor(source, root);
  const dependencies = 'descriptor' in file ? file.descriptor.dependency : file.dependencies;
  for (const dependency of dependencies) addFile(dependency, reading, [...importers, name]);
  files.set(name, file);
}

function readText(text: string, name: string, root: protobuf.Root): ProtoFile {
  const syntax = syntaxOf(text, name);
  const { packageName, dependencies } = parse(text, name, root);
  return { name, syntax, packageName, dependencies, nestedOrder: nestedOrder(text) };
}

function readDescriptor(descriptor: FileDescriptorProto, root: protobuf.Root): FoundFile {
  addStubs(root, descriptor);
  return { descriptor };
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

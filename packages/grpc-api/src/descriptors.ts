import { readFileSync } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  clearField,
  clone,
  create,
  createFileRegistry,
  equals,
  fromBinary,
  type DescFile,
  type FileRegistry,
} from '@bufbuild/protobuf';
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
} from '@bufbuild/protobuf/wkt';
import { importsOf, readProtoFiles, wellKnownFileNames, wellKnownFiles } from '@ws-gateway/proto-files';
import { GrpcApiError } from './grpc-api-error.js';

/** Folder of the services' own files, beside src and dist. */
const PROTO_DIRECTORY = fileURLToPath(new URL('../proto/', import.meta.url));
const SERVICE_FILES = [
  'notificationspb/message.proto',
  'grpc/health/v1/health.proto',
  'grpc/reflection/v1/reflection.proto',
  'grpc/reflection/v1alpha/reflection.proto',
];

export interface Descriptors {
  /** Services of this package. */
  readonly services: FileRegistry;
  /**
   * Types that an Any may hold: well-known and configured ones. They are apart from `services`, so that a configured
   * set may hold those, too.
   */
  readonly anyTypes: FileRegistry;
  /** All files, for reflection. Of two with one symbol the first counts. */
  readonly files: readonly DescFile[];
}

/**
 * Loads descriptors. `descriptorFiles` are FileDescriptorSets (`protoc --include_imports -o`, `buf build -o`) or, by
 * their name, .proto files. Rejects with GrpcApiError `bad_descriptor`.
 */
export async function loadDescriptors(descriptorFiles: readonly string[]): Promise<Descriptors> {
  const services = registryOf(readProtoFiles(SERVICE_FILES, textsIn(PROTO_DIRECTORY)));
  const configured = new ConfiguredFiles();
  for (const path of descriptorFiles) {
    try {
      for (const file of await readDescriptorFile(path)) configured.add(file);
    } catch (error) {
      throw new GrpcApiError('bad_descriptor', `${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  const anyTypes = registryOfConfigured(configured.files);
  return { services, anyTypes, files: [...services.files, ...anyTypes.files] };
}

function registryOf(files: readonly FileDescriptorProto[]): FileRegistry {
  const known = wellKnownFiles.map(({ proto }) => proto);
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...known, ...files] }));
}

function registryOfConfigured(files: readonly FileDescriptorProto[]): FileRegistry {
  try {
    return registryOf(files);
  } catch (error) {
    throw new GrpcApiError('bad_descriptor', `descriptor files: ${messageOf(error)}`, { cause: error });
  }
}

async function readDescriptorFile(path: string): Promise<readonly FileDescriptorProto[]> {
  if (path.endsWith('.proto')) {
    const directory = await importDirectory(path);
    return readProtoFiles([relative(directory, resolve(path)).split(sep).join('/')], textsIn(directory));
  }
  const { file } = fromBinary(FileDescriptorSetSchema, await readFile(path));
  if (file.length === 0) throw new Error('holds no descriptors');
  return file;
}

function textsIn(directory: string): (name: string) => string {
  return (name) => readFileSync(join(directory, name), 'utf8');
}

/**
 * Finds the nearest directory at or above the file in which all its imports exist. This guesses what protoc is told by
 * `-I`.
 */
async function importDirectory(path: string): Promise<string> {
  const imports = importsOf(await readFile(path, 'utf8'), basename(path));
  const own = dirname(resolve(path));
  for (let directory = own; ; directory = dirname(directory)) {
    const found = await Promise.all(imports.map((name) => exists(join(directory, name))));
    if (found.every(Boolean)) return directory;
    // Reading fails in that directory and names what is missing.
    if (dirname(directory) === directory) return own;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Collects the configured files. One file may come from several sources; two different things of one name are a mistake
 * and are refused.
 */
class ConfiguredFiles {
  readonly #files = new Map<string, FileDescriptorProto>();
  readonly #types = new Map<string, { file: string; proto: DescriptorProto | EnumDescriptorProto }>();

  get files(): FileDescriptorProto[] {
    return [...this.#files.values()];
  }

  add(file: FileDescriptorProto): void {
    if (wellKnownFileNames.has(file.name)) return;
    const bare = clone(FileDescriptorProtoSchema, file);
    // The same file may come with its comments and line numbers and without, so they do not count.
    clearField(bare, FileDescriptorProtoSchema.field.sourceCodeInfo);
    const known = this.#files.get(file.name);
    if (known !== undefined && !equals(FileDescriptorProtoSchema, known, bare)) {
      throw new Error(`another file named ${file.name} was given before`);
    }
    if (known !== undefined) return;
    for (const proto of [...file.messageType, ...file.enumType]) this.#addType(file, proto);
    this.#files.set(file.name, bare);
  }

  #addType(file: FileDescriptorProto, proto: DescriptorProto | EnumDescriptorProto): void {
    const name = file.package === '' ? proto.name : `${file.package}.${proto.name}`;
    const known = this.#types.get(name);
    if (known !== undefined && !isSameType(known.proto, proto)) {
      throw new Error(`${name} is defined in ${known.file} and, differently, in ${file.name}`);
    }
    this.#types.set(name, { file: file.name, proto });
  }
}

function isSameType(a: DescriptorProto | EnumDescriptorProto, b: DescriptorProto | EnumDescriptorProto): boolean {
  if (a.$typeName === 'google.protobuf.DescriptorProto' && b.$typeName === 'google.protobuf.DescriptorProto') {
    return equals(DescriptorProtoSchema, a, b);
  }
  if (a.$typeName === 'google.protobuf.EnumDescriptorProto' && b.$typeName === 'google.protobuf.EnumDescriptorProto') {
    return equals(EnumDescriptorProtoSchema, a, b);
  }
  return false;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

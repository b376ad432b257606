import { toBinary, type DescExtension, type DescFile } from '@bufbuild/protobuf';
import { nestedTypes } from '@bufbuild/protobuf/reflect';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';

/** Index of the file that declares a symbol. When several do, the first one in the list counts. */
export class ReflectionIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  readonly #messages = new Set<string>();
  readonly #extensions = new Map<string, Map<number, DescExtension>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  constructor(files: Iterable<DescFile>) {
    for (const file of files) {
      if (!this.#files.has(file.proto.name)) this.#addFile(file);
    }
  }

  file(name: string): readonly Uint8Array[] | undefined {
    return this.#withImports(this.#files.get(name));
  }

  /** Finds the file of a message, enum, enum value, service, method, extension, field or oneof. */
  fileOfSymbol(symbol: string): readonly Uint8Array[] | undefined {
    return this.#withImports(this.#symbols.get(symbol));
  }

  fileOfExtension(typeName: string, number: number): readonly Uint8Array[] | undefined {
    return this.#withImports(this.#extensions.get(typeName)?.get(number)?.file);
  }

  /** Lists the extension numbers of a message; undefined when the name is no message. */
  extensionNumbers(typeName: string): readonly number[] | undefined {
    if (!this.#messages.has(typeName)) return undefined;
    return [...(this.#extensions.get(typeName)?.keys() ?? [])].sort((a, b) => a - b);
  }

  /** Lists the file and then all it imports, so that most clients need one question only. */
  #withImports(file: DescFile | undefined): readonly Uint8Array[] | undefined {
    if (file === undefined) return undefined;
    const all = new Set([file]);
    // A set that grows while it is walked ends up with everything that can be reached.
    for (const each of all) each.dependencies.forEach((imported) => all.add(imported));
    return [...all].map((each) => this.#encode(each));
  }

  #encode(file: DescFile): Uint8Array {
    const encoded = this.#encoded.get(file) ?? toBinary(FileDescriptorProtoSchema, file.proto);
    this.#encoded.set(file, encoded);
    return encoded;
  }

  #addFile(file: DescFile): void {
    this.#files.set(file.proto.name, file);
    for (const type of nestedTypes(file)) {
      this.#addSymbol(type.typeName, file);
      if (type.kind === 'message') {
        this.#messages.add(type.typeName);
        for (const { name } of [...type.fields, ...type.oneofs]) this.#addSymbol(`${type.typeName}.${name}`, file);
      } else if (type.kind === 'enum') {
        // Enum values are siblings of their enum, not members of it.
        const scope = type.typeName.slice(0, -type.name.length);
        for (const { name } of type.values) this.#addSymbol(`${scope}${name}`, file);
      } else if (type.kind === 'service') {
        for (const { name } of type.methods) this.#addSymbol(`${type.typeName}.${name}`, file);
      } else {
        this.#addExtension(type);
      }
    }
  }

  #addSymbol(name: string, file: DescFile): void {
    if (!this.#symbols.has(name)) this.#symbols.set(name, file);
  }

  #addExtension(extension: DescExtension): void {
    const { typeName } = extension.extendee;
    const numbers = this.#extensions.get(typeName) ?? new Map<number, DescExtension>();
    if (!numbers.has(extension.number)) numbers.set(extension.number, extension);
    this.#extensions.set(typeName, numbers);
  }
}
